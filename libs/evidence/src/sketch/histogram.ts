import { invalid, type VarintReader, type VarintWriter } from './varint.js';

/** Counts by whole number; those that were never counted take no room. Mergeable: addition. */
export class Histogram {
  readonly #counts = new Map<number, number>();
  #total = 0;

  get total(): number {
    return this.#total;
  }

  count(bin: number): number {
    return this.#counts.get(bin) ?? 0;
  }

  add(bin: number, count = 1): void {
    if (count === 0) return;
    this.#counts.set(bin, this.count(bin) + count);
    this.#total += count;
  }

  merge(other: Histogram): void {
    other.#counts.forEach((count, bin) => this.add(bin, count));
  }

  /** Gives each bin that holds something, in no order. */
  forEach(take: (bin: number, count: number) => void): void {
    this.#counts.forEach((count, bin) => take(bin, count));
  }

  /** Bins that hold something, from the least, with their counts. */
  entries(): [number, number][] {
    return [...this.#counts].sort(([a], [b]) => a - b);
  }

  /** How many counts lie in bins from `from` to `to`, both among them. */
  between(from: number, to: number): number {
    let sum = 0;
    for (const [bin, count] of this.#counts) if (bin >= from && bin <= to) sum += count;
    return sum;
  }

  /** Number of bins, then each as its distance from the last one and its count. */
  write(out: VarintWriter): void {
    const entries = this.entries();
    out.unsigned(entries.length);
    let last = 0;
    for (const [bin, count] of entries) {
      out.signed(bin - last);
      out.unsigned(count);
      last = bin;
    }
  }

  /** @throws EvidenceError SKETCH_INVALID for bins beyond the bounds, or out of order */
  static read(input: VarintReader, least: number, most: number): Histogram {
    const histogram = new Histogram();
    const bins = input.unsigned(most - least + 1);
    let last = 0;
    for (let at = 0; at < bins; at += 1) {
      const step = input.signed();
      const bin = last + step;
      if (bin < least || bin > most || (at > 0 && step <= 0)) throw invalid('its bins are not so');
      const count = input.unsigned();
      if (count === 0) throw invalid('an empty bin is named');
      histogram.add(bin, count);
      last = bin;
    }
    if (histogram.total > Number.MAX_SAFE_INTEGER) throw invalid('its counts are too large');
    return histogram;
  }
}
