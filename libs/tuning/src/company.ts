import type { Step } from './steps.js';

/**
 * What operators cost beyond what each does among its like with its weights at hand: the runtime's
 * code for the next one is no longer in the nearest cache, threads are handed work of another form,
 * and weights come from memory where a model is too large for the last cache. The first two are
 * counted by convolutions, which are what the blocks measure it at: small products and sums are not
 * split among threads.
 */
export interface Company {
  readonly path: 'company' | 'int8-company';
  /** Convolutions; bytes of weights of pointwise ones, of others, and of matrix products. */
  readonly features: readonly [
    convolutions: number,
    pointwiseBytes: number,
    windowBytes: number,
    productBytes: number,
  ];
}

/** The company that steps keep. */
export function companyOf(steps: readonly Step[], int8: boolean): Company {
  const bytes = [0, 0, 0];
  for (const { node } of steps) {
    const at = weightClass(node);
    if (at !== null) bytes[at] = (bytes[at] ?? 0) + weightBytesOf(node);
  }
  const [pointwise = 0, window = 0, product = 0] = bytes;
  return {
    path: int8 ? 'int8-company' : 'company',
    features: [convolutionsOf(steps), pointwise, window, product],
  };
}

/** How many of the steps are convolutions. */
export function convolutionsOf(steps: readonly Step[]): number {
  return steps.filter(({ node }) => node.kind === 'conv').length;
}

/** Which kind of weights a step reads; null: none. */
export function weightClass(node: Step['node']): 0 | 1 | 2 | null {
  if (node.kind === 'gemm') return 2;
  if (node.kind !== 'conv') return null;
  return node.kh * node.kw === 1 ? 0 : 1;
}

/** Bytes of the weights that a step reads. */
export function weightBytesOf(node: Step['node']): number {
  if (node.kind !== 'conv' && node.kind !== 'gemm') return 0;
  const count = (node.cin / node.group) * node.cout * node.kh * node.kw;
  return count * (node.int8 ? 1 : 4);
}

/** What the last cache, and the largest below it, are taken to hold where a device does not say. */
const USUAL_CACHE_BYTES = 2 ** 21;
const USUAL_NEAR_BYTES = 2 ** 18;

/** The sizes of a device's caches, as far as they are known. */
export interface CacheSizes {
  readonly cacheBytes: number | null;
  readonly nearCacheBytes: number | null;
}

/** The shares of a model's weights that come at each inference from memory, and from the last cache. */
export function weightShares(
  totalBytes: number,
  { cacheBytes, nearCacheBytes }: CacheSizes,
): { readonly far: number; readonly kept: number } {
  const far = missShare(totalBytes / (cacheBytes ?? USUAL_CACHE_BYTES));
  return { far, kept: missShare(totalBytes / (nearCacheBytes ?? USUAL_NEAR_BYTES)) * (1 - far) };
}

const NEWTON_STEPS = 6;

/**
 * The share of lines not found again in a cache with random replacement, when `ratio` times what it
 * holds is gone through in a cycle: each miss displaces any line, so that a line survives a round with
 * the probability exp(-misses / lines), and m = 1 - exp(-m ratio).
 */
function missShare(ratio: number): number {
  if (ratio <= 1) return 0;
  let share = 1;
  for (let step = 0; step < NEWTON_STEPS; step++) {
    const kept = Math.exp(-share * ratio);
    share -= (share - 1 + kept) / (1 - ratio * kept);
  }
  return share;
}
