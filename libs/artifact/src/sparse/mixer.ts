import { squash, STRETCH } from './logistic.js';
import type { BitCoder } from './range-coder.js';

const COUNT_LIMIT = 255;
/** Probabilities learn at 1/(n + 1.5) for the n-th bit that they see; out of 32,768. */
const RATES = Int32Array.from({ length: COUNT_LIMIT + 1 }, (_, n) =>
  Math.floor(32_768 / (n + 1.5)),
);

const LEARNING_RATE = 0.006;

/**
 * Predicts a bit from several contexts at once: each keeps an adaptive probability, and a small
 * logistic regression, itself adaptive, weighs their log-odds. (Mahoney, "Adaptive weighing of
 * context models for lossless data compression", 2005.)
 */
export class Mixer {
  /** Where each context's probabilities lie for the symbol at hand; `code` adds the node. */
  readonly bases: Int32Array;
  /** Probabilities of a one, out of 65,536, and how often each has been used. */
  private readonly ones: Uint16Array;
  private readonly counts: Uint8Array;
  private readonly weights: Float64Array;
  private readonly logOdds: Float64Array;

  /**
   * @param inputs contexts
   * @param slots probabilities of all contexts together
   * @param sets sets of weights, chosen by `code`
   */
  constructor(
    private readonly coder: BitCoder,
    private readonly inputs: number,
    slots: number,
    sets: number,
  ) {
    this.ones = new Uint16Array(slots).fill(32_768);
    this.counts = new Uint8Array(slots);
    this.weights = new Float64Array(sets * inputs).fill(0.25);
    this.logOdds = new Float64Array(inputs);
    this.bases = new Int32Array(inputs);
  }

  /** Codes one bit at a node of the symbol's tree, with one set of weights. */
  code(bit: number, node: number, set: number): number {
    const { inputs, weights, ones, logOdds, bases } = this;
    const from = set * inputs;
    let dot = 0;
    for (let i = 0; i < inputs; i++) {
      const odds = STRETCH[(ones[(bases[i] as number) + node] as number) >>> 4] as number;
      logOdds[i] = odds;
      dot += odds * (weights[from + i] as number);
    }
    const p = squash(dot);
    const coded = this.coder.code(bit, clamp((p * 65_536) | 0));
    const step = (coded - p) * LEARNING_RATE;
    for (let i = 0; i < inputs; i++) {
      weights[from + i] = (weights[from + i] as number) + step * (logOdds[i] as number);
      this.learn((bases[i] as number) + node, coded);
    }
    return coded;
  }

  /** Codes one bit by one context alone: for bits that are nearly noise. */
  codeAlone(bit: number, input: number, node: number): number {
    const slot = (this.bases[input] as number) + node;
    const coded = this.coder.code(bit, clamp(this.ones[slot] as number));
    this.learn(slot, coded);
    return coded;
  }

  private learn(slot: number, bit: number): void {
    const one = this.ones[slot] as number;
    const count = this.counts[slot] as number;
    const error = (bit === 1 ? 65_535 : 0) - one;
    this.ones[slot] = one + ((error * (RATES[count] as number)) >> 15);
    if (count < COUNT_LIMIT) this.counts[slot] = count + 1;
  }
}

const clamp = (one: number): number => (one < 16 ? 16 : one > 65_520 ? 65_520 : one);
