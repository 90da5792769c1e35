/**
 * Logarithm of the evidence that a share lies above `bound`, from `hits` among `trials`: the mixture
 * of binomial likelihood ratios over all greater shares, evenly weighed. Of mean at most 1 at every
 * share up to the bound, whenever it is looked at (Robbins 1970; Ville).
 *
 * With `bound` 1/2 and hits counted as values over a limit it tests, always validly, whether the
 * median of the values is over that limit.
 */
export function logEvidenceOfShareAbove(hits: number, trials: number, bound: number): number {
  if (trials === 0) return 0;
  const misses = trials - hits;
  const logUniform = logBeta(hits + 1, misses + 1) + Math.log(upperTail(hits, trials, bound));
  return logUniform - Math.log(1 - bound) - hits * Math.log(bound) - misses * Math.log(1 - bound);
}

/** Evidence that a share lies below `bound`. */
export const logEvidenceOfShareBelow = (hits: number, trials: number, bound: number): number =>
  logEvidenceOfShareAbove(trials - hits, trials, 1 - bound);

/** 1 − I_bound(hits + 1, misses + 1), which is P(Binomial(trials + 1, bound) ≤ hits). */
function upperTail(hits: number, trials: number, bound: number): number {
  let logTerm = (trials + 1) * Math.log(1 - bound);
  let sum = 0;
  for (let k = 0; k <= hits; k += 1) {
    sum += Math.exp(logTerm);
    logTerm += Math.log(((trials + 1 - k) / (k + 1)) * (bound / (1 - bound)));
  }
  return Math.min(1, Math.max(sum, Number.MIN_VALUE));
}

/** ln B(a, b) of whole numbers, through Stirling's series for large ones. */
const logBeta = (a: number, b: number): number =>
  logFactorial(a - 1) + logFactorial(b - 1) - logFactorial(a + b - 1);

function logFactorial(n: number): number {
  if (n < 16) {
    let product = 1;
    for (let k = 2; k <= n; k += 1) product *= k;
    return Math.log(product);
  }
  const x = n + 1;
  return (
    (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * x) - 1 / (360 * x ** 3)
  );
}
