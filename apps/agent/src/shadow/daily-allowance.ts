import type { Sampling } from '@espalier/protocol';

const DAY_MS = 86_400_000;

/**
 * Bytes that may be sent: a bucket that is empty at first, holds an hour's part or one sample, and
 * fills so slowly that in no 24 hours more than the day's bytes are given, over restarts too.
 */
export class DailyAllowance {
  #held = 0;

  /** @param at milliseconds by a clock that is never set */
  constructor(private at: number) {}

  /** Takes so many bytes, if there are so many. */
  take(
    bytes: number,
    { bytesPerDay, bytesPerSample }: Pick<Sampling, 'bytesPerDay' | 'bytesPerSample'>,
    nowMs: number,
  ): boolean {
    const most = Math.max(bytesPerSample, bytesPerDay / 24);
    const filled = ((bytesPerDay - most) / DAY_MS) * (nowMs - this.at);
    this.#held = Math.min(most, this.#held + filled);
    this.at = nowMs;
    if (this.#held < bytes) return false;
    this.#held -= bytes;
    return true;
  }
}
