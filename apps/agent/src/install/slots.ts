import { mkdirSync, rmSync, statfsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Variant } from '@espalier/protocol';
import { SLOTS, type AgentState, type Slot, type SlotContent } from '../store/agent-state.js';

/** Where the two model files lie. */
export class SlotFiles {
  readonly #directory: string;

  constructor(stateDir: string) {
    this.#directory = join(stateDir, 'slots');
    mkdirSync(this.#directory, { recursive: true });
  }

  path(slot: Slot): string {
    return join(this.#directory, `${slot}.onnx`);
  }

  /** Bytes that a slot's file takes; 0: there is none. */
  bytes(slot: Slot): number {
    return statSync(this.path(slot), { throwIfNoEntry: false })?.size ?? 0;
  }

  remove(slot: Slot): void {
    rmSync(this.path(slot), { force: true });
  }

  /** Bytes that the file system still has for this process. */
  freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#directory);
    return bavail * bsize;
  }
}

/** The slot that holds a model already, if one does. */
export function slotHolding(state: AgentState, modelSha256: string): Slot | undefined {
  return SLOTS.find((slot) => state.slots[slot]?.model.sha256 === modelSha256);
}

/** The slot that a new model is written to: never the current one. */
export const spareSlot = (state: AgentState): Slot => (state.current === 'a' ? 'b' : 'a');

/** What a slot will hold once a variant is written to it. */
export function contentOf(
  target: { readonly generation: number; readonly releaseId: string; readonly variant: Variant },
  loads = 0,
): SlotContent {
  const { id, model, session, card } = target.variant;
  const { generation, releaseId } = target;
  return { generation, releaseId, variantId: id, model, session, card, loads };
}

/** Bytes of the model that a slot holds; 0: none. */
export const modelBytes = (state: AgentState, slot: Slot | null): number =>
  slot === null ? 0 : (state.slots[slot]?.model.length ?? 0);
