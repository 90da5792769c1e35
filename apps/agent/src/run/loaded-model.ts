import type { Batch, Dataset, InputCard, prepareBatch } from '@espalier/dataset';
import { namesExternalData } from '@espalier/onnx/external-data';
import { channelLayout, inputFeatures, outputFeatures } from '@espalier/evidence';
import { createHash } from 'node:crypto';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { AgentError } from '../errors.js';
import type { Inference, KeptInput, LoadRequest, SeenSample } from './requests.js';

/** The bytes of a model file were not those that were asked for. */
export class OtherHashError extends AgentError {
  constructor(
    readonly loadedSha256: string,
    expected: string,
  ) {
    super(
      'RUN_OTHER_HASH',
      `The model file holds ${loadedSha256}; ${expected} was to be loaded. It was not opened.`,
    );
  }
}

/** What a model is run on, and what makes batches of it. */
export interface Input {
  readonly dataset: Dataset;
  readonly prepare: typeof prepareBatch;
}

type Feeds = Record<string, Tensor>;
interface Prepared {
  readonly feeds: Feeds;
  readonly labels: readonly number[];
  /** The samples fed, row by row, if they are of the input. */
  readonly batch: Batch | null;
}

/** A session, the bytes' hash that it was created from, and what is fed to it. */
export class LoadedModel {
  #at = 0;

  private constructor(
    readonly sha256: string,
    readonly session: InferenceSession,
    private readonly card: InputCard | undefined,
    private readonly input: Input | undefined,
    private readonly emulatedSlowdown: number | null,
  ) {}

  /**
   * Reads the file once, hashes those bytes, and opens a session on the very same ones; bytes with
   * another hash are never given to the runtime, nor is a file that would read another one.
   * @throws AgentError RUN_FILE, RUN_OTHER_HASH, RUN_EXTERNAL_DATA, RUN_LOAD
   */
  static async open(
    request: LoadRequest,
    input: Input | undefined,
    emulatedSlowdown: number | null,
  ): Promise<LoadedModel> {
    const bytes = readOnce(request.path, request.length);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    if (sha256 !== request.expectedSha256) throw new OtherHashError(sha256, request.expectedSha256);
    if (namesExternalData(bytes)) {
      throw new AgentError(
        'RUN_EXTERNAL_DATA',
        'The model keeps weights in another file, which its hash does not cover. It was not opened.',
      );
    }
    const card = request.card ?? undefined;
    try {
      const session = await InferenceSession.create(bytes, {
        executionProviders: ['cpu'],
        intraOpNumThreads: request.session.threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: request.session.optimization,
        logSeverityLevel: 3,
      });
      return new LoadedModel(sha256, session, card, input, emulatedSlowdown);
    } catch (cause) {
      throw new AgentError('RUN_LOAD', `The runtime cannot open the model: ${messageOf(cause)}`, {
        cause,
      });
    }
  }

  /**
   * Runs once on the next samples of the input, or on a pattern when there is none.
   * @param keep in [0, 1): which of the batch to keep; null: none
   */
  infer(keep: number | null): Promise<Inference> {
    const prepared = this.#next();
    this.#at += prepared.batch?.dims[0] ?? 0;
    return this.#run(prepared, keep);
  }

  /** Runs once on the samples that are the next, which remain so: a probe serves nothing. */
  probe(): Promise<Inference> {
    return this.#run(this.#next(), null);
  }

  async #run({ feeds, labels, batch }: Prepared, keep: number | null): Promise<Inference> {
    const started = performance.now();
    const outputs = await this.session.run(feeds).catch((cause: unknown) => {
      throw new AgentError('RUN_PROBE', `The model cannot run: ${messageOf(cause)}`, { cause });
    });
    this.#slowDown(performance.now() - started);
    const latencyMs = performance.now() - started;
    const values = Object.values(outputs).map(({ data }) => data);
    const found = outputs[this.#scoresName()]?.data;
    const scores = found instanceof Float32Array ? found : null;
    return {
      latencyMs,
      finite: values.every(allFinite),
      labelled: labels.length,
      correct: scores ? hits(scores, labels) : 0,
      seen: batch ? this.#see(batch, scores) : [],
      kept: batch && scores && keep !== null ? this.#keep(batch, scores, keep) : null,
    };
  }

  async release(): Promise<void> {
    await this.session.release();
  }

  #next(): Prepared {
    const feeds = Object.fromEntries(
      this.session.inputMetadata.flatMap((input) =>
        input.isTensor ? [[input.name, patternOf(input.type, input.shape)]] : [],
      ),
    ) as Feeds;
    const [first] = this.session.inputMetadata;
    const name = this.card?.input.name ?? first?.name;
    const fed = this.session.inputMetadata.find((candidate) => candidate.name === name);
    if (!this.input || !fed?.isTensor) return { feeds, labels: [], batch: null };
    const { dataset, prepare } = this.input;
    const batch = typeof fed.shape[0] === 'number' ? fed.shape[0] : 1;
    const indices = Array.from({ length: batch }, (_, k) => (this.#at + k) % dataset.count);
    const prepared = prepare(dataset, this.card, indices, fed.shape);
    feeds[fed.name] = new Tensor('float32', prepared.data, prepared.dims);
    const labels = dataset.y ? indices.map((index) => dataset.y?.[index] ?? -1) : [];
    return { feeds, labels, batch: prepared };
  }

  #see({ dims, data }: Batch, scores: Float32Array | null): SeenSample[] {
    const [rows = 1, ...sample] = dims;
    const layout = channelLayout(sample, this.card?.input.layout);
    const [size, width] = [data.length / rows, (scores?.length ?? 0) / rows];
    const classifies = this.#classifies(width);
    return Array.from({ length: rows }, (_, row) => ({
      input: inputFeatures(data.subarray(row * size, (row + 1) * size), layout),
      output:
        scores && classifies
          ? outputFeatures(scores.subarray(row * width, (row + 1) * width), this.card?.output?.kind)
          : null,
    }));
  }

  /** Null where one input alone does not say what the model was fed. */
  #keep({ dims, data }: Batch, scores: Float32Array, keep: number): KeptInput | null {
    const [rows = 1, ...sample] = dims;
    const [size, width] = [data.length / rows, scores.length / rows];
    if (this.session.inputNames.length !== 1 || !Number.isInteger(width)) return null;
    const row = Math.floor(keep * rows);
    const own = scores.slice(row * width, (row + 1) * width);
    return {
      dims: sample,
      data: Float32Array.from(data.subarray(row * size, (row + 1) * size)),
      output: this.#classifies(width)
        ? outputFeatures(own, this.card?.output?.kind)
        : { values: own },
    };
  }

  #classifies(width: number): boolean {
    return width > 1 && (this.card?.task ?? 'classification') === 'classification';
  }

  #scoresName(): string {
    return this.card?.output?.name ?? this.session.outputNames[0] ?? '';
  }

  /** Waits as much longer as a slower processor would have taken. */
  #slowDown(tookMs: number): void {
    if (this.emulatedSlowdown === null) return;
    const cell = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(cell, 0, 0, tookMs * (this.emulatedSlowdown - 1));
  }
}

/**
 * Opens the input that is run on; what reads it is loaded only if there is one.
 * @throws DatasetError, or an error of the file system
 */
export async function readInput(path: string): Promise<Input> {
  const { openDataset, prepareBatch: prepare } = await import('@espalier/dataset');
  return { dataset: openDataset(readFileSync(path)), prepare };
}

function readOnce(path: string, length: number): Uint8Array {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (cause) {
    throw new AgentError('RUN_FILE', `The model file cannot be opened: ${messageOf(cause)}`, {
      cause,
    });
  }
  try {
    const { size } = fstatSync(file);
    if (size > length * 2 + 1024 * 1024) {
      throw new AgentError('RUN_FILE', `The model file has ${size} bytes; ${length} were signed.`);
    }
    return readFileSync(file);
  } finally {
    closeSync(file);
  }
}

function patternOf(type: string, shape: readonly (number | string)[]): Tensor {
  const dims = shape.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : 1));
  const size = dims.reduce((product, dim) => product * dim, 1);
  if (type === 'int64') return new Tensor('int64', new BigInt64Array(size), dims);
  if (type === 'int32') return new Tensor('int32', new Int32Array(size), dims);
  if (type === 'uint8') return new Tensor('uint8', new Uint8Array(size), dims);
  return new Tensor(
    'float32',
    Float32Array.from({ length: size }, (_, i) => (i % 17) / 17),
    dims,
  );
}

function allFinite(data: Tensor.DataType): boolean {
  return (
    !(data instanceof Float32Array || data instanceof Float64Array) || data.every(Number.isFinite)
  );
}

/** How many rows of scores have their largest value at the row's label. */
function hits(scores: Float32Array, labels: readonly number[]): number {
  if (labels.length === 0) return 0;
  const classes = scores.length / labels.length;
  return labels.filter((label, row) => {
    const own = scores.subarray(row * classes, (row + 1) * classes);
    return own.indexOf(Math.max(...own)) === label;
  }).length;
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
