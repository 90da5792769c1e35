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
 * more, which a part of the kernels tell: they scale alike within a kind. Of those, kinds of which all
 * are measured come first, for nothing else tells what they do. Those with many weights come last of
 * each, for they need more memory than the others.
 * @param threads counts to measure at @param quick leaves out the last third, and those
 */
export function schedule(threads: readonly number[], quick: boolean): Measurement[] {
  const near = KERNELS.filter(({ weights }) => weights === 'near');
  const streams = quick ? [] : KERNELS.filter(({ weights }) => weights !== 'near');
  const order = Array.from({ length: quick ? STRIDE - 1 : STRIDE }, (_, offset) =>
    near.filter((_kernel, index) => index % STRIDE === offset),
  ).flat();
  const isWhole = ({ op }: Kernel): boolean => ALL_THREADED.has(op);
  const sampled = new Set(KERNELS.filter((_kernel, at) => at % THREADED_STRIDE === 0));
  const threaded = [
    ...order.filter(isWhole),
    ...order.filter((kernel) => !isWhole(kernel) && sampled.has(kernel)),
  ];
  return threads.flatMap((count) =>
    [...(count === 1 ? order : threaded), ...streams].flatMap((kernel) =>
      kernel.precisions.map((precision) => ({ kernel, precision, threads: count })),
    ),
  );
}
