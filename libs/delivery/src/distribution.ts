import { LIMITS, type Manifest, type Need } from '@espalier/protocol';
import { Audience, type Member } from './audience.js';
import { Bitmap } from './bitmap.js';
import { DeliveryError } from './errors.js';
import { chunkLength } from './manifest.js';
import { answerNeed, type NeedAnswer } from './sender.js';
import { TokenBucket } from './token-bucket.js';

/** From how many devices that lack a chunk it is broadcast. */
const BROADCAST_FROM = 4;
/** How long the first chunk waits for other devices to want it too. */
const GATHER_MS = 50;

/** Payload bytes in a second; null: no limit. */
export interface DeliveryRates {
  /** All that is sent; a broadcast chunk counts once. */
  readonly total: number | null;
  /** What one device gets. */
  readonly device: number | null;
}

/** A chunk to send: to one device, or to all who listen to the artifact. */
export interface Dispatch {
  readonly kind: 'device' | 'broadcast';
  readonly manifest: Manifest;
  readonly index: number;
  /** Whom it is for; of a broadcast, those who lack the chunk. */
  readonly receivers: readonly { readonly deviceId: string; readonly generation: number }[];
}

/** What to do next. */
export type Next =
  | { readonly kind: 'send'; readonly dispatch: Dispatch }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'idle' };

/**
 * The sending end: which chunk goes to whom next. Devices ask for windows of what they lack. A chunk
 * that enough devices lack goes out once for all of them, which is known from the bitmaps in their
 * needs; what is lost on the way is asked for again, and repaired the same way. Nobody waits for the
 * slowest: a device that asks for nothing is sent nothing.
 *
 * Holds at most one window a device. All times are milliseconds of one clock that does not go back.
 */
export class Distribution {
  readonly #audiences = new Map<string, Audience>();
  readonly #audienceOf = new Map<string, Audience>();
  readonly #total: TokenBucket;

  constructor(
    private readonly rates: DeliveryRates = { total: null, device: null },
    now = 0,
  ) {
    this.#total = new TokenBucket(rates.total, LIMITS.chunkBytes, now);
  }

  /** Chunks that wait, counted for each device that asked. */
  get waiting(): number {
    let count = 0;
    for (const audience of this.#audiences.values())
      for (const { wants } of audience.members.values()) count += wants.size;
    return count;
  }

  /**
   * Takes a device's need.
   * @param current what the device shall get now; null: nothing, as after a halt
   */
  want(
    deviceId: string,
    need: Need,
    current: { readonly generation: number; readonly manifest: Manifest } | null,
    now: number,
  ): NeedAnswer {
    const known = this.#audienceOf.get(deviceId)?.members.get(deviceId);
    const isSame =
      known?.generation === need.generation &&
      this.#audienceOf.get(deviceId)?.manifest.sha256 === need.artifactSha256;
    if (!isSame) this.forget(deviceId);
    const answer = answerNeed(need, current, isSame ? known.wants : new Set());
    if (answer.kind === 'refuse' || !current) return answer;
    const held = heldOf(need);
    if (!held) return { kind: 'refuse', code: 'NEED_BITMAP' };
    const audience = this.#audience(current.manifest, now);
    const member = isSame ? known : this.#join(audience, deviceId, need.generation, held, now);
    member.heardAt = now;
    member.held = held;
    audience.ask(member, answer.indices, now);
    return answer;
  }

  /** Sends a device nothing more, of one generation or of any, until it needs something anew. */
  forget(deviceId: string, generation?: number): void {
    const audience = this.#audienceOf.get(deviceId);
    const member = audience?.members.get(deviceId);
    if (!audience || !member) return;
    if (generation !== undefined && member.generation !== generation) return;
    audience.leave(member);
    this.#audienceOf.delete(deviceId);
    if (audience.members.size === 0) this.#audiences.delete(audience.manifest.sha256);
  }

  /**
   * The next chunk to send; it counts as sent.
   * @param mayBroadcast whether a broadcast may be sent now; single chunks may in any case
   */
  next(now: number, mayBroadcast = true): Next {
    let wait = Infinity;
    for (const [sha256, audience] of this.#audiences) {
      const found = this.#nextOf(audience, now, mayBroadcast);
      if (typeof found === 'number') {
        wait = Math.min(wait, found);
        continue;
      }
      // The next artifact has its turn first the next time.
      this.#audiences.delete(sha256);
      this.#audiences.set(sha256, audience);
      return { kind: 'send', dispatch: found };
    }
    return wait === Infinity ? { kind: 'idle' } : { kind: 'wait', ms: wait };
  }

  /** Forgets devices that have not asked for long. */
  prune(now: number): void {
    for (const audience of this.#audiences.values()) {
      audience.prune(now);
      if (audience.members.size === 0) this.#audiences.delete(audience.manifest.sha256);
    }
    for (const [deviceId, audience] of this.#audienceOf) {
      if (!audience.members.has(deviceId)) this.#audienceOf.delete(deviceId);
    }
  }

  /** A chunk of one artifact, or the milliseconds until there may be one. */
  #nextOf(audience: Audience, now: number, mayBroadcast: boolean): Dispatch | number {
    if (audience.openAt > now) return audience.openAt - now;
    const { manifest } = audience;
    let wait = Infinity;
    for (const [index, askers] of audience.wanted) {
      const length = chunkLength(manifest, index);
      const totalWait = this.#total.waitMs(length, now);
      if (totalWait > 0) return totalWait;
      const lacking = audience.lacking(index, BROADCAST_FROM, now);
      if (lacking.length > 0) {
        const castWait = mayBroadcast
          ? Math.max(audience.bucket.waitMs(length, now), audience.waitForHalf(lacking, now))
          : Infinity;
        wait = Math.min(wait, castWait);
        if (castWait > 0) continue;
        audience.bucket.spend(length, now);
        audience.cast(index, now);
        this.#spend(lacking, length, now);
        return { kind: 'broadcast', manifest, index, receivers: lacking };
      }
      for (const member of askers) {
        const deviceWait = member.bucket.waitMs(length, now);
        wait = Math.min(wait, deviceWait);
        if (deviceWait > 0) continue;
        audience.sent(member, index);
        this.#spend([member], length, now);
        return { kind: 'device', manifest, index, receivers: [member] };
      }
    }
    return wait;
  }

  #spend(receivers: readonly Member[], bytes: number, now: number): void {
    this.#total.spend(bytes, now);
    for (const { bucket } of receivers) bucket.spend(bytes, now);
  }

  #audience(manifest: Manifest, now: number): Audience {
    const known = this.#audiences.get(manifest.sha256);
    if (known) return known;
    const bucket = new TokenBucket(this.rates.device, LIMITS.chunkBytes, now);
    const audience = new Audience(manifest, now + GATHER_MS, bucket);
    this.#audiences.set(manifest.sha256, audience);
    return audience;
  }

  #join(
    audience: Audience,
    deviceId: string,
    generation: number,
    held: Bitmap,
    now: number,
  ): Member {
    const bucket = new TokenBucket(this.rates.device, LIMITS.chunkBytes, now);
    const wants = new Set<number>();
    const times = { joinedAt: now, heardAt: now };
    const member = { deviceId, generation, ...times, held, wants, underWay: 0, bucket };
    audience.members.set(deviceId, member);
    this.#audienceOf.set(deviceId, audience);
    return member;
  }
}

function heldOf(need: Need): Bitmap | null {
  try {
    return Bitmap.parse(Buffer.from(need.held, 'base64'), need.chunkCount);
  } catch (error) {
    if (error instanceof DeliveryError) return null;
    throw error;
  }
}
