import { attrInts, attrString, type Node, type Tensor } from '@espalier/onnx';
import type { LinearLayer } from '../channels/labels.js';

/** How a layer reads its input for one output position: its geometry in two dimensions. */
export interface Patch {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly dilation: readonly [number, number];
  /** Top and left padding. */
  readonly pad: readonly [number, number];
  readonly transposed: boolean;
}

const pair = (values: readonly number[] | undefined, fallback: number): [number, number] => {
  if (!values || values.length === 0) return [fallback, fallback];
  return values.length === 1
    ? [fallback, values[0] ?? fallback]
    : [values[0] ?? fallback, values[1] ?? fallback];
};

/**
 * Geometry of a Conv or ConvTranspose over one or two spatial axes; a 1-D layer is one row high.
 * @param input dims of the input [N, C, ...spatial]
 * @param output dims of the output
 * @returns undefined for three or more spatial axes
 */
export function patchOf(
  node: Node,
  weight: readonly number[],
  input: readonly number[],
  output: readonly number[],
): Patch | undefined {
  const spatial = input.length - 2;
  if (spatial < 1 || spatial > 2) return undefined;
  const oneD = spatial === 1;
  const kernel: [number, number] = oneD ? [1, weight[2] ?? 1] : [weight[2] ?? 1, weight[3] ?? 1];
  const stride = pair(attrInts(node, 'strides'), 1);
  const dilation = pair(attrInts(node, 'dilations'), 1);
  const transposed = node.op === 'ConvTranspose';
  const pads = attrInts(node, 'pads');
  const auto = attrString(node, 'auto_pad', 'NOTSET');
  let pad: [number, number] = oneD ? [0, pads?.[0] ?? 0] : [pads?.[0] ?? 0, pads?.[1] ?? 0];
  if (auto === 'SAME_UPPER' || auto === 'SAME_LOWER') {
    const along = (axis: 0 | 1): number => {
      if (oneD && axis === 0) return 0;
      const at = oneD ? 2 : 2 + axis;
      const [inSize, outSize] = transposed
        ? [output[at] ?? 1, input[at] ?? 1]
        : [input[at] ?? 1, output[at] ?? 1];
      const total = Math.max(
        (outSize - 1) * stride[axis] + (kernel[axis] - 1) * dilation[axis] + 1 - inSize,
        0,
      );
      return auto === 'SAME_UPPER' ? Math.floor(total / 2) : Math.ceil(total / 2);
    };
    pad = [along(0), along(1)];
  } else if (auto === 'VALID') pad = [0, 0];
  return { kernel, stride, dilation, pad, transposed };
}

/** Rows of a layer's regression: what it reads at sampled output positions. */
export interface RowReader {
  /** Columns a group reads: input channels of the group times kernel taps. */
  readonly columns: number;
  /** Output positions of one sample. */
  readonly positions: number;
  /**
   * Writes the patch of one sample at one output position.
   * @param into written from `at` on, `columns` values
   */
  read(
    input: Tensor,
    sample: number,
    position: number,
    group: number,
    into: Float32Array,
    at: number,
  ): void;
}

/**
 * A reader for one layer over tensors of these dims.
 * @returns undefined where the layer's geometry is not supported; it is then left unfitted
 */
export function rowReader(
  layer: LinearLayer,
  weight: readonly number[],
  input: readonly number[],
  output: readonly number[],
): RowReader | undefined {
  if (layer.kind === 'gemm' || layer.kind === 'matmul') {
    const columns = input[input.length - 1] ?? 0;
    const positions = input.slice(1, -1).reduce((a, b) => a * b, 1);
    return {
      columns,
      positions,
      read: (tensor, sample, position, _group, into, at) => {
        const from = (sample * positions + position) * columns;
        into.set((tensor.data as Float32Array).subarray(from, from + columns), at);
      },
    };
  }
  const patch = patchOf(layer.node, weight, input, output);
  return patch && convolutionReader(layer, patch, input, output);
}

function convolutionReader(
  layer: LinearLayer,
  patch: Patch,
  input: readonly number[],
  output: readonly number[],
): RowReader {
  const channels = input[1] ?? 1;
  const [inH, inW] = input.length === 3 ? [1, input[2] ?? 1] : [input[2] ?? 1, input[3] ?? 1];
  const [outH, outW] = output.length === 3 ? [1, output[2] ?? 1] : [output[2] ?? 1, output[3] ?? 1];
  const [kh, kw] = patch.kernel;
  const perGroup = channels / layer.group;
  const plane = inH * inW;
  const taps = kh * kw;

  const sourceRow = (o: number, k: number, axis: 0 | 1): number => {
    if (!patch.transposed)
      return o * patch.stride[axis] - patch.pad[axis] + k * patch.dilation[axis];
    const shifted = o + patch.pad[axis] - k * patch.dilation[axis];
    return shifted % patch.stride[axis] === 0 ? shifted / patch.stride[axis] : -1;
  };

  return {
    columns: perGroup * taps,
    positions: outH * outW,
    read: (tensor, sample, position, group, into, at) => {
      const data = tensor.data as Float32Array;
      const [oy, ox] = [Math.floor(position / outW), position % outW];
      const base = (sample * channels + group * perGroup) * plane;
      for (let ky = 0; ky < kh; ky++) {
        const iy = sourceRow(oy, ky, 0);
        for (let kx = 0; kx < kw; kx++) {
          const ix = sourceRow(ox, kx, 1);
          const inside = iy >= 0 && iy < inH && ix >= 0 && ix < inW;
          const offset = base + iy * inW + ix;
          let to = at + ky * kw + kx;
          for (let c = 0; c < perGroup; c++, to += taps) {
            into[to] = inside ? (data[offset + c * plane] as number) : 0;
          }
        }
      }
    },
  };
}

/** Values of a layer's output (or of a tensor shaped like it) at one position, all channels. */
export function readOutput(
  layer: LinearLayer,
  tensor: Tensor,
  sample: number,
  position: number,
  into: Float32Array,
  at: number,
): void {
  const data = tensor.data as Float32Array;
  const last = tensor.dims.length - 1;
  if (layer.kind === 'gemm' || layer.kind === 'matmul') {
    const width = tensor.dims[last] ?? 0;
    const positions = tensor.dims.slice(1, -1).reduce((a, b) => a * b, 1);
    const from = (sample * positions + position) * width;
    into.set(data.subarray(from, from + width), at);
    return;
  }
  const channels = tensor.dims[1] ?? 1;
  const plane = tensor.dims.slice(2).reduce((a, b) => a * b, 1);
  const base = sample * channels * plane + position;
  for (let c = 0; c < channels; c++) into[at + c] = data[base + c * plane] as number;
}
