import { Histogram } from './histogram.js';
import type { VarintReader, VarintWriter } from './varint.js';

/** Quantiles come within this share of the true value, between the least and the most below. */
export const QUANTILE_RELATIVE_ERROR = 0.02;
const LEAST = 1e-4;
const MOST = 1e8;

const GAMMA = (1 + QUANTILE_RELATIVE_ERROR) / (1 - QUANTILE_RELATIVE_ERROR);
const LOG_GAMMA = Math.log(GAMMA);
const FIRST_BIN = Math.ceil(Math.log(LEAST) / LOG_GAMMA);
const LAST_BIN = Math.ceil(Math.log(MOST) / LOG_GAMMA);

/**
 * Quantiles of positive values within 2 %, mergeable without loss: DDSketch (Masson, Rim and Lee 2019,
 * PVLDB 12(12), arXiv 1908.10693), bins whose edges are powers of (1 + α) / (1 - α). Values from 1e-4
 * to 1e8 are told apart, so there are at most 691 bins; others count as the nearer bound.
 */
export class QuantileDigest {
  private constructor(private readonly bins: Histogram) {}

  static empty(): QuantileDigest {
    return new QuantileDigest(new Histogram());
  }

  get count(): number {
    return this.bins.total;
  }

  add(value: number): void {
    const bin = Math.ceil(Math.log(Math.min(MOST, Math.max(LEAST, value))) / LOG_GAMMA);
    this.bins.add(Number.isNaN(bin) ? LAST_BIN : bin);
  }

  merge(other: QuantileDigest): void {
    this.bins.merge(other.bins);
  }

  /**
   * The value that at least a share `q` of the values does not exceed, within
   * {@link QUANTILE_RELATIVE_ERROR}; null when there are none.
   */
  quantile(q: number): number | null {
    const wanted = Math.max(1, Math.ceil(q * this.count));
    let seen = 0;
    for (const [bin, count] of this.bins.entries()) {
      seen += count;
      if (seen >= wanted) return (2 * GAMMA ** bin) / (GAMMA + 1);
    }
    return null;
  }

  write(out: VarintWriter): void {
    this.bins.write(out);
  }

  static read(input: VarintReader): QuantileDigest {
    return new QuantileDigest(Histogram.read(input, FIRST_BIN, LAST_BIN));
  }
}
