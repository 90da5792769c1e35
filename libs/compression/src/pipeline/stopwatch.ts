/** Seconds by stage; the clock is passed in. */
export class Stopwatch {
  private readonly seconds = new Map<string, number>();
  private readonly start: number;

  /** @param now milliseconds that only rise */
  constructor(private readonly now: () => number) {
    this.start = now();
  }

  /** Runs a stage and adds its time to the stage's name. */
  async time<T>(stage: string, run: () => Promise<T> | T): Promise<T> {
    const from = this.now();
    try {
      return await run();
    } finally {
      this.seconds.set(stage, (this.seconds.get(stage) ?? 0) + (this.now() - from) / 1000);
    }
  }

  get report(): { total: number; byStage: Record<string, number> } {
    return { total: (this.now() - this.start) / 1000, byStage: Object.fromEntries(this.seconds) };
  }
}
