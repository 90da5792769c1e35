/**
 * A rate limit that lets a burst through and then no more than its rate. It may be overdrawn by what
 * others decide, as when a broadcast reaches a device; the debt is waited for.
 */
export class TokenBucket {
  #level: number;
  #at: number;

  /**
   * @param bytesPerSecond null: no limit
   * @param burstBytes at least as much as the largest piece
   * @param nowMs any clock that does not go back
   */
  constructor(
    private readonly bytesPerSecond: number | null,
    private readonly burstBytes: number,
    nowMs: number,
  ) {
    this.#level = burstBytes;
    this.#at = nowMs;
  }

  /** Milliseconds until a piece may pass; 0: now. */
  waitMs(bytes: number, nowMs: number): number {
    if (this.bytesPerSecond === null) return 0;
    this.#refill(nowMs);
    const lacking = Math.min(bytes, this.burstBytes) - this.#level;
    return lacking <= 0 ? 0 : Math.ceil((lacking / this.bytesPerSecond) * 1000);
  }

  /** Lets a piece pass. */
  spend(bytes: number, nowMs: number): void {
    this.#refill(nowMs);
    this.#level -= bytes;
  }

  #refill(nowMs: number): void {
    const gained = ((this.bytesPerSecond ?? 0) * Math.max(0, nowMs - this.#at)) / 1000;
    this.#level = Math.min(this.burstBytes, this.#level + gained);
    this.#at = Math.max(this.#at, nowMs);
  }
}
