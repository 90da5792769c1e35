import { KERNELS, type Kernel } from '@espalier/protocol';

/** One kernel at one precision. */
export interface Measurement {
  readonly kernel: Kernel;
  readonly precision: 'fp32' | 'int8';
}

/**
 * Everything to measure, in an order that serves a deadline: every `stride`-th kernel of the list
 * comes first, so that whatever is cut off at the end is spread over all kinds of kernel.
 */
export function schedule(stride = 3): Measurement[] {
  const order = Array.from({ length: stride }, (_, offset) =>
    KERNELS.filter((_kernel, index) => index % stride === offset),
  ).flat();
  return order.flatMap((kernel) => kernel.precisions.map((precision) => ({ kernel, precision })));
}
