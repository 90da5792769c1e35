import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { readIfThere, writeAtomically } from '../store/atomic-file.js';

/** What waits until the server has committed it. */
export type OutboxKind = 'profile' | 'report' | 'telemetry' | 'shadow';

export interface OutboxEntry {
  readonly sequence: number;
  readonly kind: OutboxKind;
  readonly id: string;
  readonly byteLength: number;
  /** When it was put there, by this process's steady clock; null: before this process. */
  readonly addedMs: number | null;
}

export interface OutboxLimits {
  readonly entries: number;
  readonly bytes: number;
}

/** More than a day of windows of a minute. */
const DEFAULT_LIMITS: OutboxLimits = { entries: 2000, bytes: 8 * 1024 * 1024 };
const NAME = /^(\d{12})\.(profile|report|telemetry|shadow)\.([A-Za-z0-9-]+)$/;

/** Messages on the disk, oldest first, each until it is acknowledged; bounded in number and bytes. */
export class Outbox {
  readonly #entries = new Map<string, OutboxEntry>();
  #nextSequence = 1;
  #bytes = 0;
  #dropped = 0;

  private constructor(
    private readonly directory: string,
    private readonly limits: OutboxLimits,
  ) {}

  static open(directory: string, limits = DEFAULT_LIMITS): Outbox {
    const outbox = new Outbox(directory, limits);
    mkdirSync(directory, { recursive: true });
    for (const name of readdirSync(directory).sort()) {
      const [, sequence, kind, id] = NAME.exec(name) ?? [];
      if (!sequence || !id) {
        rmSync(join(directory, name), { force: true, recursive: true });
        continue;
      }
      const byteLength = statSync(join(directory, name)).size;
      outbox.#note({
        sequence: Number(sequence),
        kind: kind as OutboxKind,
        id,
        byteLength,
        addedMs: null,
      });
    }
    return outbox;
  }

  /**
   * Keeps a message. The oldest make room, telemetry before reports; a report is synced.
   * @throws an error of the file system, with nothing kept
   */
  add(
    kind: OutboxKind,
    id: string,
    payload: Uint8Array,
    { durable = kind === 'report' }: { readonly durable?: boolean } = {},
  ): void {
    this.#makeRoom(payload.byteLength);
    const entry = {
      sequence: this.#nextSequence,
      kind,
      id,
      byteLength: payload.byteLength,
      addedMs: performance.now(),
    };
    writeAtomically(this.#path(entry), payload, { durable });
    this.#note(entry);
  }

  /** How many were given up for newer ones since it was opened. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Whether a message of that id waits. */
  has(id: string): boolean {
    return this.#entries.has(id);
  }

  /** Every message that waits, oldest first. */
  waiting(): OutboxEntry[] {
    return [...this.#entries.values()];
  }

  /** A message's bytes; undefined, and forgotten, when its file is gone. */
  payload(entry: OutboxEntry): Uint8Array | undefined {
    const bytes = readIfThere(this.#path(entry));
    if (!bytes) this.remove(entry.id);
    return bytes;
  }

  /** Forgets a message; nothing happens when it is not there. */
  remove(id: string): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    rmSync(this.#path(entry), { force: true });
    this.#entries.delete(id);
    this.#bytes -= entry.byteLength;
  }

  #makeRoom(byteLength: number): void {
    while (
      this.#entries.size > 0 &&
      (this.#entries.size >= this.limits.entries || this.#bytes + byteLength > this.limits.bytes)
    ) {
      const entries = this.waiting();
      const victim = entries.find(({ kind }) => kind === 'telemetry') ?? entries[0];
      if (!victim) return;
      this.remove(victim.id);
      this.#dropped += 1;
    }
  }

  #note(entry: OutboxEntry): void {
    this.#entries.set(entry.id, entry);
    this.#bytes += entry.byteLength;
    this.#nextSequence = Math.max(this.#nextSequence, entry.sequence + 1);
  }

  #path({ sequence, kind, id }: OutboxEntry): string {
    return join(this.directory, `${String(sequence).padStart(12, '0')}.${kind}.${id}`);
  }
}
