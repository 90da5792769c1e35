import type { VarintReader, VarintWriter } from './varint.js';

/** Distances at which items of a stream are compared with earlier ones. */
export const LAGS = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512] as const;
const LONGEST = 512;

/** What must be remembered of a stream, over its windows, to compare its items: bounded. */
export class StreamMemory {
  readonly #classes = new Int32Array(LONGEST);
  readonly #levels = new Int32Array(LONGEST);
  #seen = 0;

  /** How many items came before, at most as many as are remembered. */
  get held(): number {
    return Math.min(this.#seen, LONGEST);
  }

  /** The class of the item so many places back, at most {@link held}. */
  category(lag: number): number {
    return this.#classes[(this.#seen - lag) % LONGEST] ?? 0;
  }

  /** Its bin of brightness. */
  level(lag: number): number {
    return this.#levels[(this.#seen - lag) % LONGEST] ?? 0;
  }

  push(category: number, level: number): void {
    this.#classes[this.#seen % LONGEST] = category;
    this.#levels[this.#seen % LONGEST] = level;
    this.#seen += 1;
  }
}

/**
 * Sums from which a stream's autocorrelation follows: of its classes how often two items so far apart
 * are equal, of its brightness the products of bins. Mergeable: addition.
 */
export class Dependence {
  items = 0;
  levelSum = 0;
  levelSquares = 0;
  readonly pairs = new Float64Array(LAGS.length);
  readonly equal = new Float64Array(LAGS.length);
  readonly products = new Float64Array(LAGS.length);

  /** Counts an item after those that `memory` holds, and puts it there. */
  add(memory: StreamMemory, category: number, level: number): void {
    this.items += 1;
    this.levelSum += level;
    this.levelSquares += level * level;
    const { held } = memory;
    for (let at = 0; at < LAGS.length; at += 1) {
      const lag = LAGS[at] ?? LONGEST;
      if (lag > held) break;
      this.pairs[at] = (this.pairs[at] ?? 0) + 1;
      if (memory.category(lag) === category) this.equal[at] = (this.equal[at] ?? 0) + 1;
      this.products[at] = (this.products[at] ?? 0) + memory.level(lag) * level;
    }
    memory.push(category, level);
  }

  /** Adds another's sums, weighed. */
  merge(other: Dependence, weight = 1): void {
    this.items += weight * other.items;
    this.levelSum += weight * other.levelSum;
    this.levelSquares += weight * other.levelSquares;
    LAGS.forEach((_, at) => {
      this.pairs[at] = (this.pairs[at] ?? 0) + weight * (other.pairs[at] ?? 0);
      this.equal[at] = (this.equal[at] ?? 0) + weight * (other.equal[at] ?? 0);
      this.products[at] = (this.products[at] ?? 0) + weight * (other.products[at] ?? 0);
    });
  }

  /**
   * How many items of brightness count as one, at least 1: the variance of a mean over that of the
   * mean of independent items, 1 + 2 Σ ρ over the lags.
   */
  levelEffect(): number {
    const mean = this.levelSum / Math.max(1, this.items);
    const variance = this.levelSquares / Math.max(1, this.items) - mean * mean;
    return this.#effect((at) =>
      variance <= 0
        ? 0
        : ((this.products[at] ?? 0) / (this.pairs[at] ?? 1) - mean * mean) / variance,
    );
  }

  /** The same of the classes. @param chance that two independent items are of one class */
  classEffect(chance: number): number {
    return this.#effect((at) => this.#classCorrelation(at, chance));
  }

  /** The most that {@link classEffect} may be, as far as its items tell: noise is taken for correlation. */
  mostClassEffect(chance: number): number {
    return this.#effect((at) => this.#classCorrelation(at, chance), 0);
  }

  #classCorrelation(at: number, chance: number): number {
    if (chance >= 1) return 0;
    return ((this.equal[at] ?? 0) / (this.pairs[at] ?? 1) - chance) / (1 - chance);
  }

  /**
   * Sums the correlations by trapezia between the lags, up to the first that is within the noise of
   * independent items (after Geyer 1992, "Practical Markov Chain Monte Carlo"), then adds twice the
   * error of the estimate, so that it errs to the side of fewer alarms.
   * @param noise how many standard errors of independent items count as noise
   */
  #effect(correlation: (at: number) => number, noise = 2): number {
    let sum = 0;
    let [lastLag, last] = [0, 1];
    for (const [at, lag] of LAGS.entries()) {
      const pairs = this.pairs[at] ?? 0;
      if (pairs < 1) break;
      const here = Math.max(0, correlation(at));
      const width = lag - lastLag;
      sum += (width * (last + here)) / 2 + (here - last) / 2;
      if (here < noise / Math.sqrt(pairs)) break;
      [lastLag, last] = [lag, here];
    }
    const effect = 1 + 2 * sum;
    return effect * (1 + 2 * Math.sqrt(effect / Math.max(1, this.items)));
  }

  /** All sums, which may be fractions once they were weighed; {@link restore} takes them. */
  sums(): Float64Array[] {
    const single = Float64Array.of(this.items, this.levelSum, this.levelSquares);
    return [single, this.pairs, this.equal, this.products];
  }

  restore([single, pairs, equal, products]: readonly Float64Array[]): void {
    [this.items = 0, this.levelSum = 0, this.levelSquares = 0] = single ?? [];
    this.pairs.set(pairs ?? []);
    this.equal.set(equal ?? []);
    this.products.set(products ?? []);
  }

  write(out: VarintWriter): void {
    out.unsigned(this.items);
    out.signed(this.levelSum);
    out.unsigned(this.levelSquares);
    LAGS.forEach((_, at) => {
      const pairs = this.pairs[at] ?? 0;
      out.unsigned(this.items - pairs);
      out.unsigned(pairs - (this.equal[at] ?? 0));
      out.signed(this.products[at] ?? 0);
    });
  }

  /** @throws EvidenceError SKETCH_INVALID */
  static read(input: VarintReader): Dependence {
    const read = new Dependence();
    read.items = input.unsigned();
    read.levelSum = input.signed();
    read.levelSquares = input.unsigned();
    LAGS.forEach((_, at) => {
      read.pairs[at] = read.items - input.unsigned(read.items);
      read.equal[at] = (read.pairs[at] ?? 0) - input.unsigned(read.pairs[at]);
      read.products[at] = input.signed();
    });
    return read;
  }
}
