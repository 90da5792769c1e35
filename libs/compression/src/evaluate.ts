import { graphOf, type Model, type Tensor } from '@espalier/onnx';
import { type RunSettings, runOver } from './statistics/run.js';
import type { Samples } from './statistics/samples.js';

/** A model's outputs over samples: [count, width], row by row. */
export interface Outputs {
  readonly width: number;
  readonly rows: Float32Array;
}

/** Runs a model over samples and keeps its (first, or named) output. */
export async function outputsOf(
  model: Model,
  samples: Samples,
  indices: readonly number[],
  settings: RunSettings & { readonly output?: string | undefined },
): Promise<Outputs> {
  const name = settings.output ?? graphOf(model).outputs[0]?.name ?? '';
  let rows = new Float32Array(0);
  let width = 0;
  await runOver(model, [name], samples, indices, settings, (tensors, offset, count) => {
    const tensor = tensors[name] as Tensor;
    const size = tensor.data.length / (tensor.dims[0] ?? 1);
    if (rows.length === 0) {
      width = size;
      rows = new Float32Array(indices.length * size);
    }
    rows.set((tensor.data as Float32Array).subarray(0, count * size), offset * size);
  });
  return { width, rows };
}

/** Rows of natural-log probabilities; probabilities are recognised when the card says so. */
export function logProbabilities(outputs: Outputs, kind: 'logits' | 'probabilities'): Float32Array {
  const { width, rows } = outputs;
  const out = new Float32Array(rows.length);
  for (let at = 0; at < rows.length; at += width) {
    if (kind === 'probabilities') {
      for (let i = 0; i < width; i++)
        out[at + i] = Math.log(Math.max(rows[at + i] as number, 1e-12));
      continue;
    }
    let max = -Infinity;
    for (let i = 0; i < width; i++) max = Math.max(max, rows[at + i] as number);
    let sum = 0;
    for (let i = 0; i < width; i++) sum += Math.exp((rows[at + i] as number) - max);
    const shift = max + Math.log(sum);
    for (let i = 0; i < width; i++) out[at + i] = (rows[at + i] as number) - shift;
  }
  return out;
}

/** Mean Kullback-Leibler divergence of rows of log probabilities, nats a row. */
export function meanKl(reference: Float32Array, other: Float32Array, width: number): number {
  let sum = 0;
  for (let i = 0; i < reference.length; i++) {
    const r = reference[i] as number;
    sum += Math.exp(r) * (r - (other[i] as number));
  }
  return sum / Math.max(reference.length / width, 1);
}

/** The class of each row. */
export function classesOf({ width, rows }: Outputs): Int32Array {
  const classes = new Int32Array(rows.length / Math.max(width, 1));
  for (let r = 0; r < classes.length; r++) {
    let best = 0;
    for (let i = 1; i < width; i++) {
      if ((rows[r * width + i] as number) > (rows[r * width + best] as number)) best = i;
    }
    classes[r] = best;
  }
  return classes;
}

/** Share of equal entries. */
export function agreement(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let same = 0;
  for (let i = 0; i < a.length; i++) if (a[i] === b[i]) same++;
  return same / Math.max(a.length, 1);
}

/** Mean squared difference of two models' outputs. */
export function meanSquaredError(a: Outputs, b: Outputs): number {
  let sum = 0;
  for (let i = 0; i < a.rows.length; i++)
    sum += ((a.rows[i] as number) - (b.rows[i] as number)) ** 2;
  return sum / Math.max(a.rows.length, 1);
}
