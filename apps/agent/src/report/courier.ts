import type { DeviceLink } from '@espalier/link';
import { encodeMessage, holdMessage } from '@espalier/protocol';
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { Outbox, OutboxEntry, OutboxKind } from './outbox.js';

/** Most messages that are sent and not yet acknowledged. */
const WINDOW = 16;
const FIRST_WAIT_MS = 5000;
const LONGEST_WAIT_MS = 60_000;
/** A message held for less is sent as it was made. */
const PROMPT_MS = 500;

/** Sends what is in the outbox, and again, until the server acknowledges that it is committed. */
export class Courier {
  readonly #sent = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #waitMs = FIRST_WAIT_MS;

  constructor(
    private readonly outbox: Outbox,
    private readonly link: Pick<DeviceLink, 'ready' | 'sendEncoded'>,
    private readonly log: Logger,
    private readonly window = WINDOW,
  ) {}

  /**
   * Keeps a message until it is acknowledged. When the disk takes nothing it is sent once, and lost
   * if that fails.
   * @param epoch the highest seen
   */
  post(kind: OutboxKind, body: object, epoch: number): void {
    const id = randomUUID();
    const payload = encodeMessage({ id, sentAt: new Date().toISOString(), epoch }, body);
    try {
      this.outbox.add(kind, id, payload);
    } catch (error) {
      this.log.error({ err: error, kind }, 'a message cannot be kept');
      this.link.sendEncoded(kind, payload);
    }
    this.#send();
  }

  /**
   * Keeps a message through a power cut too, under an id of the caller's.
   * @throws an error of the file system, with nothing kept or sent
   */
  keep(kind: OutboxKind, id: string, body: object, epoch: number): void {
    const payload = encodeMessage({ id, sentAt: new Date().toISOString(), epoch }, body);
    this.outbox.add(kind, id, payload, { durable: true });
    this.#send();
  }

  /** The server has committed a message. */
  acknowledged(id: string): void {
    this.outbox.remove(id);
    if (!this.#sent.delete(id)) return;
    this.#waitMs = FIRST_WAIT_MS;
    this.#send();
  }

  /** Forgets all that waits. */
  clear(): void {
    for (const { id } of this.outbox.waiting()) this.outbox.remove(id);
    this.#sent.clear();
  }

  /** A new connection: whatever was sent on the last one may be lost. */
  resume(): void {
    this.#sent.clear();
    this.#waitMs = FIRST_WAIT_MS;
    this.#send();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }

  #send(): void {
    clearTimeout(this.#timer);
    if (!this.link.ready) return;
    const waiting = this.outbox.waiting();
    for (const entry of waiting) {
      if (this.#sent.size >= this.window) break;
      if (this.#sent.has(entry.id)) continue;
      const payload = this.#payload(entry);
      if (!payload) continue;
      this.#sent.add(entry.id);
      this.link.sendEncoded(entry.kind, payload);
    }
    if (waiting.length === 0) return;
    this.#timer = setTimeout(
      () => {
        this.#waitMs = Math.min(LONGEST_WAIT_MS, this.#waitMs * 2);
        this.#sent.clear();
        this.#send();
      },
      this.#waitMs * (0.75 + Math.random() / 2),
    );
  }

  /** A message's bytes, with how long it was held; what a power cut has torn is dropped. */
  #payload(entry: OutboxEntry): Uint8Array | undefined {
    const payload = this.outbox.payload(entry);
    const { addedMs } = entry;
    if (!payload) return undefined;
    const steadyMs = addedMs === null ? null : performance.now() - addedMs;
    if (steadyMs !== null && steadyMs < PROMPT_MS) return payload;
    try {
      return holdMessage(payload, (sentAt) => steadyMs ?? Date.now() - Date.parse(sentAt));
    } catch (error) {
      this.log.error({ err: error, kind: entry.kind }, 'a kept message cannot be read');
      this.outbox.remove(entry.id);
      return undefined;
    }
  }
}
