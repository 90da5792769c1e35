import { type Dataset, type InputCard, prepareBatch } from '@espalier/dataset';
import {
  elementCount,
  floatTensor,
  graphOf,
  inferShapes,
  type Model,
  type Tensor,
} from '@espalier/onnx';
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

/** Most samples a run. */
const BATCH = 32;

/** Bytes of activations that a run should stay within, were all of them held at once. */
const RUN_BYTES = 256 * 2 ** 20;

/** The same for a model that must be run with several samples at once; beyond it, it is refused. */
const FIXED_RUN_BYTES = 3 * RUN_BYTES;

/**
 * Pairs a data set with a model's input.
 * @throws CompressionError COMPRESS_NO_INPUT when the model does not have exactly one float32 input,
 * COMPRESS_TOO_LARGE when it takes so many samples a run that memory would not do, COMPRESS_NOT_FINITE
 * when a sample holds a value that is not finite
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
  checkFinite(dataset);
  const first = input.shape[0];
  const fixedBatch = typeof first === 'number' && first > 0;
  const open = input.ranked ? [null, ...input.shape.slice(1)] : [];
  const [, ...sample] = prepareBatch(dataset, card, [0], open).dims;
  const runBytes = bytesOf(model, { [input.name]: [fixedBatch ? first : 1, ...sample] });
  if (fixedBatch && first > 1 && runBytes > FIXED_RUN_BYTES) {
    throw new CompressionError(
      'COMPRESS_TOO_LARGE',
      `The model takes exactly ${first} samples a run, which need ${Math.round(runBytes / 2 ** 20)} MiB; export it with a batch of 1 or an open one.`,
    );
  }
  const fitting = Math.max(1, Math.floor(RUN_BYTES / runBytes));
  return {
    count: dataset.count,
    batch: fixedBatch ? first : Math.min(BATCH, fitting),
    fixedBatch,
    labels: dataset.y,
    feed: (indices) => {
      const { dims, data } = prepareBatch(dataset, card, [...indices], [...input.shape]);
      return { [input.name]: floatTensor(dims, data) };
    },
  };
}

/** One value that is not finite would spoil every sum that its sample is part of. */
function checkFinite({ x, count }: Dataset): void {
  if (!(x.data instanceof Float32Array)) return;
  const at = x.data.findIndex((value) => !Number.isFinite(value));
  if (at < 0) return;
  throw new CompressionError(
    'COMPRESS_NOT_FINITE',
    `Sample ${Math.floor(at / (x.data.length / count))} of the data ("x") holds a value that is not finite. Take it out.`,
  );
}

/** Bytes of all that a model computes from inputs of these shapes. */
function bytesOf(model: Model, inputs: Record<string, number[]>): number {
  const shapes = inferShapes(model, { inputs });
  let elements = 1;
  for (const { outputs } of graphOf(model).nodes) {
    for (const output of outputs) elements += elementCount(shapes.get(output)?.dims ?? []);
  }
  return 4 * elements;
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
