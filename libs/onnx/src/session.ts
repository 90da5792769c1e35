import './no-telemetry.js';
import { InferenceSession, Tensor as OrtTensor } from 'onnxruntime-node';
import type { DType } from './dtype.js';
import { OnnxError } from './errors.js';
import { writeModel, type Model } from './model.js';
import { tensorOf, type Tensor, type TypedArray } from './tensor.js';
import type { Dim } from './value-info.js';

export interface SessionOptions {
  /** Threads inside an operator; 1 by default, so that runs are comparable. */
  readonly threads?: number;
  /** Graph optimisation of ONNX Runtime; `all` by default. */
  readonly optimization?: 'disabled' | 'basic' | 'extended' | 'all';
  /** Where ONNX Runtime saves the optimised model. */
  readonly optimizedModelPath?: string;
  /** File prefix of an ONNX Runtime profile, which is written at release. */
  readonly profile?: string;
}

/** Open a model in ONNX Runtime on the CPU. Release the session: it holds memory outside the heap. */
export async function openSession(
  model: Model | Uint8Array,
  options: SessionOptions = {},
): Promise<Session> {
  const bytes = model instanceof Uint8Array ? model : writeModel(model);
  const inner = await attempt('ONNX Runtime cannot load the model', () =>
    InferenceSession.create(bytes, {
      executionProviders: ['cpu'],
      intraOpNumThreads: options.threads ?? 1,
      interOpNumThreads: 1,
      executionMode: 'sequential',
      graphOptimizationLevel: options.optimization ?? 'all',
      // What goes wrong is thrown; ONNX Runtime would say it a second time on stderr.
      logSeverityLevel: 4,
      ...(options.optimizedModelPath === undefined
        ? {}
        : { optimizedModelFilePath: options.optimizedModelPath }),
      ...(options.profile === undefined
        ? {}
        : { enableProfiling: true, profileFilePrefix: options.profile }),
    }),
  );
  return new Session(inner, options.profile !== undefined);
}

/** A model loaded in ONNX Runtime. `run` blocks the event loop for as long as it computes. */
export class Session {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  /** Declared dimensions of each input by its name. */
  readonly inputDims: Readonly<Record<string, readonly Dim[]>>;
  private inner: InferenceSession | undefined;

  constructor(
    inner: InferenceSession,
    private readonly profiling: boolean,
  ) {
    this.inner = inner;
    this.inputNames = inner.inputNames;
    this.outputNames = inner.outputNames;
    this.inputDims = Object.fromEntries(
      inner.inputMetadata.map((input) => [
        input.name,
        input.isTensor ? input.shape.map((dim) => (dim === '' ? null : dim)) : [],
      ]),
    );
  }

  /**
   * Run once. @param feeds a tensor for each input @param outputs which to fetch; all by default
   * @throws OnnxError ONNX_RUNTIME
   */
  async run(
    feeds: Readonly<Record<string, Tensor>>,
    outputs: readonly string[] = this.outputNames,
  ): Promise<Record<string, Tensor>> {
    const inner = this.inner;
    if (inner === undefined) {
      throw new OnnxError('ONNX_RUNTIME', 'The session was released; open another one.');
    }
    const fed = Object.entries(feeds).map(([name, tensor]) => [name, toOrt(name, tensor)] as const);
    const results = await attempt('ONNX Runtime cannot run the model', () =>
      inner.run(Object.fromEntries(fed), outputs),
    );
    return Object.fromEntries(
      outputs.map((name) => {
        const value = results[name];
        if (value === undefined) {
          throw new OnnxError('ONNX_RUNTIME', `ONNX Runtime gave no output "${name}".`);
        }
        return [name, fromOrt(name, value)];
      }),
    );
  }

  /** Free the session's memory; a second call does nothing. */
  async release(): Promise<void> {
    const inner = this.inner;
    this.inner = undefined;
    if (inner === undefined) return;
    await attempt('ONNX Runtime cannot release the session', async () => {
      if (this.profiling) inner.endProfiling();
      await inner.release();
    });
  }
}

function toOrt(name: string, tensor: Tensor): OrtTensor {
  const type = tensor.dtype;
  switch (type) {
    case 'float32':
    case 'float64':
    case 'float16':
    case 'int8':
    case 'uint8':
    case 'bool':
    case 'int16':
    case 'uint16':
    case 'int32':
    case 'uint32':
    case 'int64':
    case 'uint64':
      try {
        return new OrtTensor(type, tensor.data, tensor.dims);
      } catch (cause) {
        throw runtimeError(`The input "${name}" does not fit its shape`, cause);
      }
    default:
      throw new OnnxError('ONNX_UNSUPPORTED_TYPE', `The input "${name}" cannot be ${type}.`);
  }
}

function fromOrt(name: string, value: OrtTensor): Tensor {
  if (value.type === 'string' || Array.isArray(value.data)) {
    throw new OnnxError('ONNX_UNSUPPORTED_TYPE', `The output "${name}" holds ${value.type}.`);
  }
  const { buffer, byteOffset, length } = value.data;
  // Where the platform has half floats of its own, their bits are taken.
  const data = value.type === 'float16' ? new Uint16Array(buffer, byteOffset, length) : value.data;
  return tensorOf(value.type as DType, value.dims, data as TypedArray);
}

async function attempt<T>(what: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    throw runtimeError(what, cause);
  }
}

function runtimeError(what: string, cause: unknown): OnnxError {
  const detail = cause instanceof Error ? cause.message : String(cause);
  return new OnnxError('ONNX_RUNTIME', `${what}: ${detail}`, { cause });
}
