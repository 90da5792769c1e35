import { type Dataset, type InputCard, prepareBatch } from '@espalier/dataset';
import { floatTensor, graphOf, type Model, type Tensor } from '@espalier/onnx';
import { CompressionError } from '../errors.js';

/** Samples that a model can be fed with. */
export interface Samples {
  readonly count: number;
  /** Samples a run takes. */
  readonly batch: number;
  /** Whether a run must take exactly `batch` samples. */
  readonly fixedBatch: boolean;
  readonly labels: Int32Array | undefined;
  /** Feeds for the samples with these numbers. */
  feed(indices: readonly number[]): Record<string, Tensor>;
}

const BATCH = 32;

/**
 * Pairs a data set with a model's input.
 * @throws CompressionError COMPRESS_NO_INPUT when the model does not have exactly one float32 input
 */
export function samplesFor(model: Model, dataset: Dataset, card: InputCard | undefined): Samples {
  const { inputs } = graphOf(model);
  const [input] = inputs;
  if (!input || inputs.length !== 1 || input.dtype !== 'float32') {
    throw new CompressionError(
      'COMPRESS_NO_INPUT',
      `The model has ${inputs.length} inputs; compression feeds exactly one, of type float32.`,
    );
  }
  const first = input.shape[0];
  const fixedBatch = typeof first === 'number' && first > 0;
  return {
    count: dataset.count,
    batch: fixedBatch ? first : BATCH,
    fixedBatch,
    labels: dataset.y,
    feed: (indices) => {
      const { dims, data } = prepareBatch(dataset, card, [...indices], [...input.shape]);
      return { [input.name]: floatTensor(dims, data) };
    },
  };
}

/** One run's samples: their numbers, and how many of them count (a fixed batch repeats the last). */
export interface Batch {
  readonly indices: readonly number[];
  readonly real: number;
}

/** Cuts a list of sample numbers into runs. */
export function batchesOf(samples: Samples, indices: readonly number[]): Batch[] {
  const out: Batch[] = [];
  for (let at = 0; at < indices.length; at += samples.batch) {
    const part = indices.slice(at, at + samples.batch);
    const real = part.length;
    const last = part[real - 1];
    while (samples.fixedBatch && last !== undefined && part.length < samples.batch) part.push(last);
    out.push({ indices: part, real });
  }
  return out;
}
