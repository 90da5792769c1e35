import type { Step } from './steps.js';

/**
 * What operators cost beyond what each does among its like with its weights at hand: the runtime's
 * code for the next operator is no longer in the nearest cache, and weights come from memory where a
 * model is too large for the last cache.
 */
export interface Company {
  readonly path: 'company' | 'int8-company';
  /** Operators; bytes of weights of pointwise convolutions, of others, and of matrix products. */
  readonly features: readonly [
    operators: number,
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
    features: [steps.length, pointwise, window, product],
  };
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

/** Below this share of the last cache all of a model stays there; the cache is shared, and not exact. */
const SURELY_KEPT = 0.25;
/** What the last cache is taken to hold where a device does not say. */
const USUAL_CACHE_BYTES = 2 ** 21;

/**
 * The share of a model's weights that come from memory at each inference, by the bytes that one
 * inference goes through: between a quarter of the last cache and all of it, on a logarithmic scale.
 */
export function farShare(totalBytes: number, cacheBytes: number | null | undefined): number {
  const over = totalBytes / ((cacheBytes ?? USUAL_CACHE_BYTES) * SURELY_KEPT);
  return Math.min(1, Math.max(0, Math.log(over) / Math.log(1 / SURELY_KEPT)));
}
