/** How many failures are let pass. */
export interface AttemptLimit {
  readonly failures: number;
  readonly windowMs: number;
  /** Most keys remembered; beyond it the oldest are forgotten. */
  readonly keys: number;
}

/** Counts failures by key, such as an account or an address, over a window of time. */
export class Attempts {
  private readonly failed = new Map<string, number[]>();

  constructor(private readonly limit: AttemptLimit) {}

  /** Milliseconds until the key may try again; 0: now. */
  waitMs(key: string, now: number): number {
    const recent = this.recent(key, now);
    const { failures, windowMs } = this.limit;
    const oldest = recent.at(-failures);
    return oldest === undefined ? 0 : oldest + windowMs - now;
  }

  fail(key: string, now: number): void {
    const recent = [...this.recent(key, now), now].slice(-this.limit.failures);
    this.failed.delete(key);
    this.failed.set(key, recent);
    const [oldest] = this.failed.keys();
    if (this.failed.size > this.limit.keys && oldest !== undefined) this.failed.delete(oldest);
  }

  /** Takes the latest failure back: it was none. */
  undo(key: string): void {
    this.failed.get(key)?.pop();
  }

  forget(key: string): void {
    this.failed.delete(key);
  }

  private recent(key: string, now: number): number[] {
    const since = now - this.limit.windowMs;
    return (this.failed.get(key) ?? []).filter((at) => at > since);
  }
}
