import { fullJitter, type Root } from '@espalier/protocol';
import { signRenewal } from '@espalier/trust';
import type { Logger } from 'pino';
import type { Identity } from './identity.js';
import { requestMembership, ServerAway } from './request.js';

/** Shares of a certificate's life between which a device renews it, each at a point of its own. */
const EARLIEST_SHARE = 0.6;
const LATEST_SHARE = 0.75;
/** Longest time between two looks at the clock, which may be set meanwhile. */
const LOOK_MS = 3_600_000;
/** Spreads the tries of a fleet more than {@link fullJitter}, since there is time. */
const PATIENCE = 10;

/** Renews the device's certificate before it ends; until the new one is kept, the old one stands. */
export class Renewal {
  #timer: NodeJS.Timeout | undefined;
  #attempt = 0;
  #stopped = false;
  readonly #share: number;

  /**
   * @param root the newest trusted root
   * @param random uniform in [0, 1)
   */
  constructor(
    private readonly identity: Identity,
    private readonly server: string,
    private readonly root: () => Root,
    random: () => number,
    private readonly log: Logger,
  ) {
    this.#share = EARLIEST_SHARE + random() * (LATEST_SHARE - EARLIEST_SHARE);
  }

  start(): void {
    this.#look();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
  }

  #look(): void {
    const dueMs = this.#dueAt() - Date.now();
    if (dueMs <= 0) void this.#renew();
    else this.#again(Math.min(dueMs, LOOK_MS));
  }

  #again(waitMs: number): void {
    if (!this.#stopped) this.#timer = setTimeout(() => this.#look(), waitMs);
  }

  #dueAt(): number {
    const { issued, expires } = this.identity.membership;
    const start = Date.parse(issued);
    return start + this.#share * (Date.parse(expires) - start);
  }

  async #renew(): Promise<void> {
    const { identity } = this;
    const url = new URL(`/api/v1/devices/${identity.deviceId}/certificates`, this.server);
    try {
      const request = signRenewal(identity.deviceId, identity.key, Date.now());
      identity.renew(await requestMembership(url, { request }), this.root());
      this.#attempt = 0;
      this.log.info({ expires: identity.membership.expires }, 'certificate renewed');
      this.#again(Math.max(0, Math.min(this.#dueAt() - Date.now(), LOOK_MS)));
    } catch (error) {
      const isAway = error instanceof ServerAway;
      const waitMs = isAway ? PATIENCE * fullJitter(this.#attempt, Math.random()) : LOOK_MS;
      this.#attempt += 1;
      this.log.warn({ err: error, waitMs }, 'the certificate cannot be renewed now');
      this.#again(waitMs);
    }
  }
}
