import {
  bytesSchema,
  counterSchema,
  failureSchema,
  idSchema,
  INSTALL_STATES,
  sessionOptionsSchema,
  sha256Schema,
  signedSchema,
  variantSchema,
  type Signed,
} from '@espalier/protocol';
import { join } from 'node:path';
import { z } from 'zod';
import { AgentError } from '../errors.js';
import { readIfThere, writeAtomically } from './atomic-file.js';

/** The two places for a model: of what runs, and of what is to run or ran before. */
export const SLOTS = ['a', 'b'] as const;
export type Slot = (typeof SLOTS)[number];

/** What a slot's file should hold. */
export const slotContentSchema = z.object({
  generation: counterSchema,
  releaseId: idSchema,
  variantId: idSchema,
  model: z.object({ sha256: sha256Schema, length: bytesSchema }),
  session: sessionOptionsSchema,
  card: z.unknown(),
  /** Loads that have not yet outlived the watchdog period; written before each load. */
  loads: counterSchema,
});
export type SlotContent = z.infer<typeof slotContentSchema>;

/** The one target that the device works on, or has settled. */
export const installSchema = z.object({
  generation: counterSchema,
  releaseId: idSchema,
  variant: variantSchema,
  slot: z.enum(SLOTS),
  state: z.enum(INSTALL_STATES),
  loadedSha256: sha256Schema.nullable(),
  probe: z.object({ latencyMs: z.number().nonnegative(), finite: z.boolean() }).nullable(),
  failure: failureSchema.nullable(),
  receivedBytes: bytesSchema,
});
export type Install = z.infer<typeof installSchema>;

const stateSchema = z.object({
  schemaVersion: z.literal(1),
  /** The newest trusted root, as signed. */
  root: signedSchema,
  /** Highest values ever seen in documents that verified; none of them falls. */
  generation: counterSchema,
  epoch: counterSchema,
  timestampVersion: counterSchema,
  latestTimeMs: counterSchema,
  restarts: counterSchema,
  slots: z.object({ a: slotContentSchema.nullable(), b: slotContentSchema.nullable() }),
  current: z.enum(SLOTS).nullable(),
  previous: z.enum(SLOTS).nullable(),
  install: installSchema.nullable(),
});
export type AgentState = z.infer<typeof stateSchema>;

/** The agent's memory: a value that is on the disk before anybody acts on it. */
export class StateStore {
  readonly #path: string;
  #value: AgentState;

  private constructor(path: string, value: AgentState) {
    this.#path = path;
    this.#value = value;
  }

  /**
   * Opens the state in a directory, or starts one.
   * @param firstRoot the root that the claim token vouched for
   * @throws AgentError AGENT_STATE_CORRUPT
   */
  static open(directory: string, firstRoot: Signed): StateStore {
    const path = join(directory, 'state.json');
    const stored = readIfThere(path);
    return new StateStore(path, stored ? parse(path, stored) : emptyState(firstRoot));
  }

  get value(): AgentState {
    return this.#value;
  }

  /** Persists the changes; the new value is visible only once it is durable. */
  change(changes: Partial<AgentState>): void {
    const next = { ...this.#value, ...changes };
    writeAtomically(this.#path, JSON.stringify(next), { durable: true });
    this.#value = next;
  }
}

/** The state of a device that was given nothing yet. */
export function emptyState(root: Signed): AgentState {
  return {
    schemaVersion: 1,
    root,
    generation: 0,
    epoch: 0,
    timestampVersion: 0,
    latestTimeMs: 0,
    restarts: 0,
    slots: { a: null, b: null },
    current: null,
    previous: null,
    install: null,
  };
}

function parse(path: string, bytes: Buffer): AgentState {
  try {
    return stateSchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new AgentError(
      'AGENT_STATE_CORRUPT',
      `${path} cannot be read back. Move the directory away and enrol the device again.`,
      { cause },
    );
  }
}
