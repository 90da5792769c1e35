import { graphOf, toFloat32 } from '@espalier/onnx';
import { cholesky, type Matrix, solveRows } from '../linear-algebra/cholesky.js';
import { weightMatrices } from '../structure/layer-weights.js';
import type { AffineScale } from './affine.js';
import { roundCompensated } from './compensated-rounding.js';
import type { InputMoments, LayerMoments } from './layer-moments.js';
import type { QuantizationPlan, QuantizedLayer } from './plan.js';
import { guardBias, type LayerIntegers } from './qdq.js';
import {
  adjacentPairs,
  chooseWeightScales,
  type IntegerWeights,
  roundToNearest,
} from './weight-scales.js';

/** How weights become integers. */
export interface FitOptions {
  /** No two adjacent weights add up to more than 128. */
  readonly isaSafe: boolean;
  /** Weights that are 0 stay 0. */
  readonly keepZeros: boolean;
  /** One by one, or so that columns make up for each other. */
  readonly rounding: 'nearest' | 'compensated';
}

/**
 * Integers for every layer of a plan. Without moments: each weight rounded by itself, the bias as it
 * was. With them: the bias makes up for the mean of what rounding the weights and the input loses.
 */
export function fitLayers(
  plan: QuantizationPlan,
  activations: ReadonlyMap<string, AffineScale>,
  moments: LayerMoments | undefined,
  options: FitOptions,
): Map<string, LayerIntegers> {
  const layers = new Map<string, LayerIntegers>();
  for (const layer of plan.layers) {
    const input = activations.get(plan.tensors.get(layer.input)?.scaleOf ?? '');
    const seen = moments?.get(layer.output);
    layers.set(layer.output, fitLayer(plan, layer, input?.scale ?? 1, seen, options));
  }
  return layers;
}

function fitLayer(
  plan: QuantizationPlan,
  layer: QuantizedLayer,
  inputScale: number,
  moments: readonly InputMoments[] | undefined,
  options: FitOptions,
): LayerIntegers {
  const graph = graphOf(plan.model);
  const weight = graph.constant(layer.weight);
  const tensor = layer.bias === undefined ? undefined : graph.constant(layer.bias);
  const outputs = layer.outputIds.length;
  const bias = tensor ? Float64Array.from(toFloat32(tensor)) : new Float64Array(outputs);
  const dims = weight?.dims ?? [];
  const taps = layer.kind === 'conv' ? dims.slice(2).reduce((a, b) => a * b, 1) : 1;
  const matrices = weight ? weightMatrices(layer, dims, toFloat32(weight), layer.group) : [];
  const pairs = options.isaSafe ? adjacentPairs(matrices[0]?.cols ?? 0, taps) : undefined;
  const groups = matrices.map((matrix, g): IntegerWeights => {
    const free = layer.kind !== 'matmul';
    const own = moments?.[g];
    const seen = own && (free ? own : aboutZero(own));
    const part = bias.subarray(g * matrix.rows, (g + 1) * matrix.rows);
    const compensated = seen !== undefined && options.rounding === 'compensated';
    const goal = compensated && !options.keepZeros ? denoised(matrix, seen) : matrix;
    const energy = seen && variances(seen);
    const scales = guardBias(chooseWeightScales(goal, energy, pairs), part, inputScale);
    const zeros = options.keepZeros ? matrix : undefined;
    const integers = compensated
      ? roundCompensated(goal, seen, scales, { pairs, zeros })
      : roundToNearest(goal, scales);
    if (own && free) part.set(correctedBias(part, matrix, integers, own));
    return integers;
  });
  return { groups, bias };
}

/** Share of the mean variance that every column is taken to have: what seems constant may yet vary. */
const LEAST_VARIANCE = 1e-2;

function variances({ blocks }: InputMoments): Float64Array {
  const own = Float64Array.from(
    blocks.flatMap(({ xx }) =>
      Array.from({ length: xx.rows }, (_, i) => xx.data[i * xx.rows + i] as number),
    ),
  );
  const floor = (LEAST_VARIANCE * own.reduce((a, b) => a + b, 0)) / own.length;
  return own.map((variance) => variance + floor);
}

/** Strength of the pull toward the float weights, as a share of the mean variance. */
const RIDGE = 0.1;

/**
 * Weights that read rounded values as the float weights read exact ones: least squares on what
 * rounding the input loses, taken column by column, pulled toward the float weights.
 */
function denoised(weight: Matrix, { blocks, lostWith }: InputMoments): Matrix {
  const { rows, cols } = weight;
  const data = Float64Array.from(weight.data);
  for (const { start, xx } of blocks) {
    const n = xx.rows;
    let trace = 0;
    for (let i = 0; i < n; i++) trace += xx.data[i * n + i] as number;
    const system = Float64Array.from(xx.data);
    for (let i = 0; i < n; i++)
      system[i * n + i] = (system[i * n + i] as number) + (RIDGE * trace) / n + 1e-12;
    const residual = new Float64Array(rows * n);
    for (let o = 0; o < rows; o++) {
      for (let k = 0; k < n; k++)
        residual[o * n + k] =
          (weight.data[o * cols + start + k] as number) * (lostWith[start + k] as number);
    }
    const delta = solveRows(cholesky({ rows: n, cols: n, data: system }), {
      rows,
      cols: n,
      data: residual,
    });
    for (let o = 0; o < rows; o++) {
      for (let k = 0; k < n; k++) {
        const at = o * cols + start + k;
        data[at] = (data[at] as number) + (delta.data[o * n + k] as number);
      }
    }
  }
  return { rows, cols, data };
}

/** The bias with which the int8 layer's mean output is the float layer's. */
function correctedBias(
  bias: Float64Array,
  weight: Matrix,
  integers: IntegerWeights,
  { mean, lost }: InputMoments,
): Float64Array {
  const { cols } = weight;
  return bias.map((b, o) => {
    let sum = b;
    const scale = integers.scales[o] as number;
    for (let k = 0; k < cols; k++) {
      const w = weight.data[o * cols + k] as number;
      const q = (integers.data[o * cols + k] as number) * scale;
      sum += w * (lost[k] as number) + (w - q) * (mean[k] as number);
    }
    return sum;
  });
}

/** Moments about zero, for layers whose output cannot be shifted. */
function aboutZero(moments: InputMoments): InputMoments {
  const { rows, mean, lost } = moments;
  const product = (i: number, j: number): number =>
    rows * (mean[i] as number) * (mean[j] as number);
  return {
    ...moments,
    blocks: moments.blocks.map(({ start, xx }) => ({
      start,
      xx: {
        ...xx,
        data: xx.data.map(
          (v, at) => v + product(start + Math.floor(at / xx.cols), start + (at % xx.cols)),
        ),
      },
    })),
    lostWith: moments.lostWith.map((v, k) => v + rows * (lost[k] as number) * (mean[k] as number)),
  };
}
