import { attrInt, attrInts, attrString } from '../attribute.js';
import { dimAt, shaped, unknown, type AbstractTensor } from './abstract-tensor.js';
import { dimsOf, type Rule, type Rules, type Scope } from './rule.js';

/** Sizes that a window takes over each spatial axis. */
export interface Window {
  readonly kernel: readonly number[];
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  /** All starts, then all ends. */
  readonly pads: readonly number[];
  readonly autoPad: string;
  readonly ceil: boolean;
}

/** The window of a Conv or pooling node; `kernel` is the weight's where no attribute gives it. */
export function windowOf(scope: Scope, rank: number, kernel?: readonly number[]): Window {
  const { node } = scope;
  const filled = (value: number): number[] => new Array<number>(rank).fill(value);
  return {
    kernel: attrInts(node, 'kernel_shape') ?? kernel ?? filled(NaN),
    strides: attrInts(node, 'strides') ?? filled(1),
    dilations: attrInts(node, 'dilations') ?? filled(1),
    pads: attrInts(node, 'pads') ?? new Array<number>(2 * rank).fill(0),
    autoPad: attrString(node, 'auto_pad', 'NOTSET'),
    ceil: attrInt(node, 'ceil_mode', 0) === 1,
  };
}

/** Where a window fits along one axis. */
export function windowedSize(size: number, window: Window, axis: number): number {
  const rank = window.kernel.length;
  const stride = window.strides[axis] ?? 1;
  const extent = ((window.kernel[axis] ?? NaN) - 1) * (window.dilations[axis] ?? 1) + 1;
  if (window.autoPad.startsWith('SAME')) return Math.ceil(size / stride);
  const explicit = window.autoPad !== 'VALID';
  const head = explicit ? (window.pads[axis] ?? 0) : 0;
  const tail = explicit ? (window.pads[axis + rank] ?? 0) : 0;
  const steps = (size + head + tail - extent) / stride;
  if (!window.ceil) return Math.floor(steps) + 1;
  const count = Math.ceil(steps) + 1;
  return (count - 1) * stride >= size + head ? count - 1 : count;
}

function convolve(scope: Scope, x: number, w: number): number[] | null {
  const input = dimsOf(scope, x);
  const weight = dimsOf(scope, w);
  if (input === null || weight === null || input.length < 3) return null;
  const window = windowOf(scope, input.length - 2, weight.slice(2));
  return [
    dimAt(input, 0),
    dimAt(weight, 0),
    ...input.slice(2).map((size, axis) => windowedSize(size, window, axis)),
  ];
}

const convTranspose: Rule = (scope) => {
  const input = scope.input(0) ?? unknown();
  const weight = dimsOf(scope, 1);
  if (input.dims === null || weight === null) return [shaped(input.dtype, null)];
  const rank = input.dims.length - 2;
  const window = windowOf(scope, rank, weight.slice(2));
  const extra = attrInts(scope.node, 'output_padding') ?? [];
  const fixed = attrInts(scope.node, 'output_shape');
  const spatial = input.dims.slice(2).map((size, axis) => {
    const stride = window.strides[axis] ?? 1;
    if (fixed !== undefined) return dimAt(fixed, axis - rank);
    if (window.autoPad.startsWith('SAME')) return size * stride;
    const extent = (dimAt(window.kernel, axis) - 1) * (window.dilations[axis] ?? 1) + 1;
    const pads =
      window.autoPad === 'VALID' ? 0 : (window.pads[axis] ?? 0) + (window.pads[axis + rank] ?? 0);
    return stride * (size - 1) + (extra[axis] ?? 0) + extent - pads;
  });
  const channels = dimAt(weight, 1) * attrInt(scope.node, 'group', 1);
  return [shaped(input.dtype, [dimAt(input.dims, 0), channels, ...spatial])];
};

function typeOf(input: AbstractTensor | undefined): AbstractTensor['dtype'] {
  return input?.dtype ?? 'undefined';
}

export const convolutionRules: Rules = {
  Conv: (scope) => [shaped(typeOf(scope.input(0)), convolve(scope, 0, 1))],
  ConvInteger: (scope) => [shaped('int32', convolve(scope, 0, 1))],
  QLinearConv: (scope) => [shaped(typeOf(scope.input(7)), convolve(scope, 0, 3))],
  ConvTranspose: convTranspose,
};
