import { seededRandom } from '@espalier/dataset';
import { inferShapes, type Model } from '@espalier/onnx';
import type { LinearLayer } from '../channels/labels.js';

/** Which output positions of each sample a layer's regression looks at. */
export interface RowPlan {
  readonly perSample: number;
  /** Positions of one sample, `perSample` of them, distinct. */
  positions(sample: number): readonly number[];
}

/** Rows for a regression of `columns` unknowns: 32 for each, but no fewer than 2,048 nor, while 4 for
 * each are left, more than 16,384. */
const rowsWanted = (columns: number): number =>
  Math.max(2048, Math.min(32 * columns, 16_384), 4 * columns);

/**
 * Plans the rows of a layer: as many positions of each sample as it takes for enough rows, spread at
 * random, the same for each model that is compared.
 * @param total output positions of one sample
 * @param seed of the draw
 */
export function planRows(columns: number, total: number, samples: number, seed: number): RowPlan {
  const perSample = Math.min(
    total,
    Math.max(1, Math.ceil(rowsWanted(columns) / Math.max(samples, 1))),
  );
  if (perSample === total) {
    const all = Array.from({ length: total }, (_, i) => i);
    return { perSample, positions: () => all };
  }
  return {
    perSample,
    positions: (sample) => {
      const random = seededRandom(seed * 1_000_003 + sample);
      const chosen = new Set<number>();
      while (chosen.size < perSample) chosen.add(random.integer(total));
      return [...chosen];
    },
  };
}

/** Dims of every tensor at batch 1. */
export function dimsAtOne(model: Model): (tensor: string) => readonly number[] {
  const shapes = inferShapes(model, { batch: 1 });
  return (tensor) => shapes.get(tensor)?.dims ?? [];
}

/** A stable number for a layer, to draw its positions from. */
export function seedOf(layer: LinearLayer, seed: number): number {
  let hash = seed >>> 0;
  for (const char of layer.output) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) >>> 0;
  return hash % 65_521;
}
