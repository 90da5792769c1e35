import { KERNELS, type Kernel } from '@espalier/protocol';

/** One thing to measure. */
export interface Measurement {
  readonly kernel: Kernel;
  readonly precision: 'fp32' | 'int8';
  readonly threads: number;
}

const STRIDE = 3;
const THREADED_STRIDE = 3;
/** Kinds with few kernels, or that are split only from some size on. */
const ALL_THREADED = new Set<Kernel['op']>(['block', 'gemm', 'network']);

/**
 * What to measure, in an order that serves a deadline: every third kernel of the list comes first,
 * so that whatever is cut off at the end is spread over all kinds of kernel. One thread comes before
 * more, which a part of the kernels tell: they scale alike within a kind. Those with many weights
 * come last of each, for they need more memory than the others.
 * @param threads counts to measure at @param quick leaves out the last third, and those
 */
export function schedule(threads: readonly number[], quick: boolean): Measurement[] {
  const near = KERNELS.filter(({ weights }) => weights === 'near');
  const streams = quick ? [] : KERNELS.filter(({ weights }) => weights !== 'near');
  const order = Array.from({ length: quick ? STRIDE - 1 : STRIDE }, (_, offset) =>
    near.filter((_kernel, index) => index % STRIDE === offset),
  ).flat();
  const threaded = new Set(
    KERNELS.filter(
      ({ weights, op }, at) =>
        weights !== 'near' || ALL_THREADED.has(op) || at % THREADED_STRIDE === 0,
    ),
  );
  return threads.flatMap((count) =>
    [...order, ...streams]
      .filter((kernel) => count === 1 || threaded.has(kernel))
      .flatMap((kernel) =>
        kernel.precisions.map((precision) => ({ kernel, precision, threads: count })),
      ),
  );
}
