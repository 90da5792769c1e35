import { logNormalCdf } from './normal.js';

/**
 * Logarithm of the evidence that an effect lies above a bound, over all effects weighed by a half
 * normal density: the mixture of likelihood ratios, one sided. While the estimate is efficient, its
 * information grows like the clock of a Brownian motion, and this is then a supermartingale of mean
 * at most 1 for every effect at or below the bound: it may be looked at after each observation, and
 * passes 1/α with a probability of at most α (Ville).
 *
 * Method: Lindon, Ham, Tingley and Bojinov, "Anytime-Valid Inference in Linear Models and
 * Regression-Adjusted Causal Inference", arXiv 2205.14762.
 * @param estimate of the effect @param variance of the estimate @param bound that is tested
 * @param scale of the effects above the bound that are looked for; same unit as the estimate
 */
export function logEvidenceAbove(
  estimate: number,
  variance: number,
  bound: number,
  scale: number,
): number {
  const excess = estimate - bound;
  const ratio = (scale * scale) / variance;
  const shrink = ratio / (1 + ratio);
  const square = (excess * excess) / variance;
  const pull = Math.sign(excess) * Math.sqrt(square * shrink);
  return Math.LN2 - 0.5 * Math.log1p(ratio) + 0.5 * square * shrink + logNormalCdf(pull);
}

/** {@link logEvidenceAbove} with the sides exchanged: evidence that an effect lies below a bound. */
export const logEvidenceBelow = (
  estimate: number,
  variance: number,
  bound: number,
  scale: number,
): number => logEvidenceAbove(-estimate, variance, -bound, scale);
