/** Bounds of what may be under way at once. */
export interface UnderWayBounds {
  readonly messages: number;
  readonly bytes: number;
}

/** Messages that were begun and are not done with, bounded by their number and by their bytes. */
export class UnderWay {
  private readonly work = new Set<Promise<void>>();
  private bytes = 0;

  constructor(private readonly bounds: UnderWayBounds) {}

  /**
   * Begins a message, if there is room for it.
   * @param take must not throw
   * @returns false when there is none: then nothing was begun
   */
  begin(messageBytes: number, take: () => Promise<void>): boolean {
    const { messages, bytes } = this.bounds;
    if (this.work.size >= messages || this.bytes + messageBytes > bytes) return false;
    this.bytes += messageBytes;
    const work = take().finally(() => {
      this.work.delete(work);
      this.bytes -= messageBytes;
    });
    this.work.add(work);
    return true;
  }

  /** Resolves once all that is under way now is done with. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.work]);
  }
}
