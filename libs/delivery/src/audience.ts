import type { Manifest } from '@espalier/protocol';
import type { Bitmap } from './bitmap.js';
import type { TokenBucket } from './token-bucket.js';

/** A device that gets an artifact. */
export interface Member {
  readonly deviceId: string;
  readonly generation: number;
  /** When it first asked for this artifact. */
  readonly joinedAt: number;
  /** When it last asked. */
  heardAt: number;
  /** What it held then. */
  held: Bitmap;
  /** What it asked for and was not sent. */
  readonly wants: Set<number>;
  /** How many of the last broadcasts it may still be about to get. */
  underWay: number;
  readonly bucket: TokenBucket;
}

/** A member that did not ask for so long is taken for gone, or for whole. */
const PRESENT_MS = 10_000;
/** A chunk that was broadcast so lately is on its way. */
const UNDER_WAY_MS = 1000;
/** Most broadcast chunks that a member is known neither to hold nor to have lost. */
const CAST_WINDOW = 15;

/** The devices that get one artifact now, and which of its chunks they lack. */
export class Audience {
  readonly members = new Map<string, Member>();
  /** Who asked for a chunk, longest waiting chunk first. */
  readonly wanted = new Map<number, Set<Member>>();
  readonly #castAt: Float64Array;
  /** What was broadcast lately, latest last. */
  readonly #casts: number[] = [];
  #lastCastAt = -Infinity;

  /**
   * @param openAt when the first chunk may be sent: a moment later, so that others can join
   * @param bucket the rate at which each member gets what is broadcast
   */
  constructor(
    readonly manifest: Manifest,
    readonly openAt: number,
    readonly bucket: TokenBucket,
  ) {
    this.#castAt = new Float64Array(manifest.chunks.length).fill(-Infinity);
  }

  /** Notes what a member asks for, but for what was broadcast a moment ago. */
  ask(member: Member, indices: readonly number[], now: number): void {
    member.underWay = this.#underWay(member);
    for (const index of indices) {
      if (this.#isUnderWay(member, index, now)) continue;
      member.wants.add(index);
      const askers = this.wanted.get(index);
      if (askers) askers.add(member);
      else this.wanted.set(index, new Set([member]));
    }
  }

  leave(member: Member): void {
    for (const index of member.wants) this.#unwant(member, index);
    this.members.delete(member.deviceId);
  }

  /** Who is to be reached by a broadcast: nobody unless enough of those present lack the chunk. */
  lacking(index: number, atLeast: number, now: number): Member[] {
    if (this.members.size < atLeast) return [];
    const present = [...this.members.values()].filter(({ heardAt }) => now - heardAt < PRESENT_MS);
    const lacking = present.filter((member) => this.#lacks(member, index));
    // A copy sent by broadcast costs the broker about half of one sent to one device.
    return lacking.length >= Math.max(atLeast, present.length / 2) ? lacking : [];
  }

  /**
   * How long the next broadcast waits for those whom it is for: until half of them have told that
   * they hold all but a window of the last ones. The slower half is repaired later.
   */
  waitForHalf(receivers: readonly Member[], now: number): number {
    const wait = this.#lastCastAt + UNDER_WAY_MS - now;
    if (wait <= 0) return 0;
    const ready = receivers.filter(({ underWay }) => underWay < CAST_WINDOW).length;
    return ready * 2 >= receivers.length ? 0 : wait;
  }

  /** A chunk was sent to one member. */
  sent(member: Member, index: number): void {
    this.#unwant(member, index);
    member.wants.delete(index);
  }

  /** A chunk was broadcast. */
  cast(index: number, now: number): void {
    this.#castAt[index] = now;
    this.#lastCastAt = now;
    this.#casts.push(index);
    if (this.#casts.length > 2 * CAST_WINDOW) this.#casts.shift();
    for (const member of this.wanted.get(index) ?? []) member.wants.delete(index);
    this.wanted.delete(index);
    for (const member of this.members.values()) member.underWay = this.#underWay(member);
  }

  /** Forgets members that are gone; whoever is not comes back with its next need. */
  prune(now: number): void {
    for (const member of this.members.values()) {
      if (now - member.heardAt >= PRESENT_MS && member.wants.size === 0) this.leave(member);
    }
  }

  #lacks(member: Member, index: number): boolean {
    if (member.wants.has(index)) return true;
    return !member.held.has(index) && !this.#isUnderWay(member, index, member.heardAt);
  }

  #isUnderWay(member: Member, index: number, now: number): boolean {
    const castAt = this.#castAt[index] ?? -Infinity;
    return castAt >= member.joinedAt && castAt >= now - UNDER_WAY_MS;
  }

  #underWay(member: Member): number {
    let count = 0;
    for (const index of this.#casts) {
      if (!member.held.has(index) && this.#isUnderWay(member, index, member.heardAt)) count += 1;
    }
    return count;
  }

  #unwant(member: Member, index: number): void {
    const askers = this.wanted.get(index);
    askers?.delete(member);
    if (askers?.size === 0) this.wanted.delete(index);
  }
}
