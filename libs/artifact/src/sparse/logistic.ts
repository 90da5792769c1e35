/**
 * Tables of the logistic function and its inverse. Both ends must hold the very same numbers on
 * every machine, so they are made by additions, multiplications and divisions alone, which IEEE 754
 * fixes to the bit; `Math.exp` and `Math.log` may differ between engines.
 */

/** Largest magnitude of a log-odds. */
const LIMIT = 12;
const STEPS_PER_UNIT = 256;

const SQUASH = Float64Array.from({ length: 2 * LIMIT * STEPS_PER_UNIT + 1 }, (_, i) => {
  const x = (i - LIMIT * STEPS_PER_UNIT) / STEPS_PER_UNIT;
  const e = exponential(x < 0 ? x : -x);
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
});

/** Log-odds by the upper 12 bits of a probability. */
export const STRETCH = Float64Array.from({ length: 4096 }, (_, i) => {
  const p = (i + 0.5) / 4096;
  return logarithm(p / (1 - p));
});

/** The probability with these log-odds, from 0 to 1. */
export function squash(logOdds: number): number {
  if (logOdds >= LIMIT) return SQUASH[SQUASH.length - 1] as number;
  if (logOdds <= -LIMIT) return SQUASH[0] as number;
  return SQUASH[((logOdds + LIMIT) * STEPS_PER_UNIT + 0.5) | 0] as number;
}

/** e^x for x <= 0: the series at x / 2^k, squared k times. */
function exponential(x: number): number {
  const small = x / 4096;
  let term = 1;
  let sum = 1;
  for (let n = 1; n < 8; n++) {
    term = (term * small) / n;
    sum += term;
  }
  for (let k = 0; k < 12; k++) sum *= sum;
  return sum;
}

/** ln x for x > 0: halved into [2/3, 4/3], then the series of artanh. */
function logarithm(x: number): number {
  const LN2 = 0.6931471805599453;
  let value = x;
  let halvings = 0;
  for (; value > 4 / 3; halvings++) value /= 2;
  for (; value < 2 / 3; halvings--) value *= 2;
  const y = (value - 1) / (value + 1);
  let power = y;
  let sum = 0;
  for (let n = 1; n < 40; n += 2) {
    sum += power / n;
    power *= y * y;
  }
  return 2 * sum + halvings * LN2;
}
