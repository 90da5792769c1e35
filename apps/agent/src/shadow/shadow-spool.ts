import type { DeviceLink } from '@espalier/link';
import type { ShadowSample } from '@espalier/protocol';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { Courier } from '../report/courier.js';
import { Outbox, type OutboxLimits } from '../report/outbox.js';

/** A few hundred small samples, or some thirty of the largest. */
const LIMITS: OutboxLimits = { entries: 500, bytes: 8 * 1024 * 1024 };
/** Samples on their way at once: few, since reports share the line. */
const WINDOW = 2;

/** Samples on the disk, each until the server has committed it; the oldest make room. */
export class ShadowSpool {
  readonly #outbox: Outbox;
  readonly #courier: Courier;

  /** @param epoch the highest seen */
  constructor(
    stateDir: string,
    link: Pick<DeviceLink, 'ready' | 'sendEncoded'>,
    private readonly epoch: () => number,
    log: Logger,
    limits = LIMITS,
  ) {
    this.#outbox = Outbox.open(join(stateDir, 'shadow'), limits);
    this.#courier = new Courier(this.#outbox, link, log, WINDOW);
  }

  post(sample: ShadowSample): void {
    this.#courier.post('shadow', sample, this.epoch());
  }

  clear(): void {
    this.#courier.clear();
  }

  /** How many were given up for newer ones. */
  get dropped(): number {
    return this.#outbox.dropped;
  }

  /** The server has committed a message; nothing happens when it is none of these. */
  acknowledged(id: string): void {
    this.#courier.acknowledged(id);
  }

  /** A new connection: whatever was sent on the last one may be lost. */
  resume(): void {
    this.#courier.resume();
  }

  stop(): void {
    this.#courier.stop();
  }
}
