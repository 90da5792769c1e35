/**
 * Logarithm of the standard normal distribution function, good to about 1e-7 relative.
 * Abramowitz and Stegun 7.1.26's form with the Chebyshev fit of Numerical Recipes (erfcc), scaled so
 * that the far left tail does not underflow.
 */
export function logNormalCdf(x: number): number {
  const z = Math.abs(x) / Math.SQRT2;
  const t = 1 / (1 + 0.5 * z);
  const series = COEFFICIENTS.reduceRight((sum, c) => c + t * sum, 0);
  const logTail = Math.log(t / 2) - z * z + series;
  return x < 0 ? logTail : Math.log1p(-Math.exp(logTail));
}

const COEFFICIENTS = [
  -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398, 1.48851587,
  -0.82215223, 0.17087277,
] as const;
