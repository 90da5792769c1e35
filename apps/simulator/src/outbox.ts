import { randomUUID } from 'node:crypto';
import { encodeMessage, type UpKind } from '@espalier/protocol';
import type { Surroundings } from './surroundings.js';

const FIRST_WAIT_MS = 5000;
const LONGEST_WAIT_MS = 60_000;
const MOST_KEPT = 100;

/** Messages that are sent again until the server says that they are committed. */
export class Outbox {
  readonly #waiting = new Map<string, { kind: UpKind; payload: Uint8Array }>();
  #waitMs = FIRST_WAIT_MS;
  #cancel: (() => void) | null = null;

  constructor(private readonly around: Surroundings) {}

  post(kind: UpKind, body: object, epoch: number): void {
    const id = randomUUID();
    const sentAt = new Date(this.around.wallClock()).toISOString();
    const payload = encodeMessage({ id, sentAt, epoch }, body);
    const [oldest] = this.#waiting.keys();
    if (this.#waiting.size >= MOST_KEPT && oldest !== undefined) this.#waiting.delete(oldest);
    this.#waiting.set(id, { kind, payload });
    this.around.send(kind, payload);
    this.#cancel ??= this.#sendAgainLater();
  }

  acknowledged(id: string): void {
    if (!this.#waiting.delete(id)) return;
    this.#waitMs = FIRST_WAIT_MS;
    if (this.#waiting.size === 0) this.#rest();
  }

  /** A new connection: what was sent on the last one may be lost. */
  resume(): void {
    this.#waitMs = FIRST_WAIT_MS;
    this.#rest();
    this.#sendAll();
  }

  stop(): void {
    this.#rest();
  }

  #sendAll(): void {
    for (const { kind, payload } of this.#waiting.values()) this.around.send(kind, payload);
    if (this.#waiting.size > 0) this.#cancel = this.#sendAgainLater();
  }

  #sendAgainLater(): () => void {
    return this.around.after(this.#waitMs * (0.75 + this.around.random() / 2), () => {
      this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
      this.#cancel = null;
      this.#sendAll();
    });
  }

  #rest(): void {
    this.#cancel?.();
    this.#cancel = null;
  }
}
