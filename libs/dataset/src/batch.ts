import type { InputCard } from './card.js';
import type { Dataset } from './dataset.js';
import { DatasetError } from './errors.js';

/** Which samples: their indices, or a run of them. */
export type Selection = readonly number[] | { readonly start: number; readonly count: number };

/** Values to feed, row-major. */
export interface Batch {
  readonly dims: number[];
  readonly data: Float32Array;
}

type ModelDims = readonly (number | string | null)[];

/**
 * Samples as the model takes them: `(x * scale - mean) / std` a channel, uint8 images (NHWC) moved to
 * the model's layout, float32 kept in its own. Without a layout in the card, it is read off the model's
 * dimensions, or kept as in the data.
 *
 * @param modelDims the model input's declared dimensions, the batch first
 * @throws DatasetError DATASET_SHAPE when the samples do not fit the model's input, or the selection
 * leaves the dataset
 */
export function prepareBatch(
  dataset: Dataset,
  card: InputCard | undefined,
  selection: Selection,
  modelDims: ModelDims,
): Batch {
  const indices = indicesOf(selection, dataset.count);
  const { x } = dataset;
  const sample = x.dims.slice(1);
  const images = x.dtype === 'uint8' ? imageDims(sample, modelDims.length) : undefined;
  const layout = card?.input.layout ?? (images ? layoutFitting(images, modelDims) : 'NHWC');
  const moved = images !== undefined && layout === 'NCHW';
  const own = images ?? sample;
  const fed = moved ? [own.at(-1) ?? 1, ...own.slice(0, -1)] : own;
  checkFit([indices.length, ...fed], modelDims, card?.input.name);

  const size = own.reduce((product, dim) => product * dim, 1);
  const channelAxis = x.dtype === 'uint8' || card?.input.layout !== 'NCHW' ? own.length - 1 : 0;
  const channels = own[channelAxis] ?? 1;
  const inner = own.slice(channelAxis + 1).reduce((product, dim) => product * dim, 1);
  const { factor, shift } = affine(card, channels);
  const pixels = size / channels;
  const data = new Float32Array(indices.length * size);
  const source = x.data as Uint8Array | Float32Array;
  indices.forEach((index, row) => {
    const from = index * size;
    const to = row * size;
    for (let i = 0; i < size; i++) {
      const channel = Math.floor(i / inner) % channels;
      const at = moved ? channel * pixels + Math.floor(i / channels) : i;
      data[to + at] = (source[from + i] ?? 0) * (factor[channel] ?? 1) - (shift[channel] ?? 0);
    }
  });
  return { dims: [indices.length, ...fed], data };
}

function indicesOf(selection: Selection, count: number): readonly number[] {
  const indices =
    'start' in selection
      ? Array.from({ length: selection.count }, (_, i) => selection.start + i)
      : selection;
  const outside = indices.find((i) => !Number.isInteger(i) || i < 0 || i >= count);
  if (outside !== undefined) {
    throw new DatasetError(
      'DATASET_SHAPE',
      `Sample ${outside} was asked for, but the dataset has ${count} samples.`,
    );
  }
  return indices;
}

/** Grey images may come without their channel axis. */
function imageDims(sample: readonly number[], modelRank: number): number[] {
  return sample.length === 2 && modelRank === 4 ? [...sample, 1] : [...sample];
}

function layoutFitting(images: readonly number[], modelDims: ModelDims): 'NCHW' | 'NHWC' {
  const fits = (dims: readonly number[]): boolean =>
    dims.every((dim, axis) => {
      const wanted = modelDims[axis + 1];
      return typeof wanted !== 'number' || wanted === dim;
    });
  const first = [images.at(-1) ?? 1, ...images.slice(0, -1)];
  return images.length === 3 && !fits(images) && fits(first) ? 'NCHW' : 'NHWC';
}

function checkFit(dims: readonly number[], modelDims: ModelDims, name = 'input'): void {
  const fits =
    dims.length === modelDims.length &&
    dims.every((dim, axis) => {
      const wanted = modelDims[axis];
      return typeof wanted !== 'number' || wanted === dim;
    });
  if (fits) return;
  throw new DatasetError(
    'DATASET_SHAPE',
    `The model's ${name} takes (${modelDims.map((dim) => dim ?? '?').join(', ')}), but the samples make (${dims.join(', ')}). Check the data's shape and the card's layout.`,
  );
}

/** `x * factor - shift` for each channel. */
function affine(
  card: InputCard | undefined,
  channels: number,
): { factor: Float64Array; shift: Float64Array } {
  const scale = card?.input.scale ?? 1;
  const mean = perChannel('mean', card?.input.mean ?? [0], channels);
  const std = perChannel('std', card?.input.std ?? [1], channels);
  return {
    factor: std.map((deviation) => scale / deviation),
    shift: mean.map((value, channel) => value / (std[channel] ?? 1)),
  };
}

function perChannel(what: string, values: readonly number[], channels: number): Float64Array {
  if (values.length !== 1 && values.length !== channels) {
    throw new DatasetError(
      'DATASET_SHAPE',
      `The card gives ${values.length} values for "${what}", but the samples have ${channels} channels.`,
    );
  }
  const [only = 0] = values;
  return values.length === 1 ? new Float64Array(channels).fill(only) : Float64Array.from(values);
}
