import type { InputCard } from '@espalier/dataset';
import type { InputFeatures, OutputFeatures } from '@espalier/evidence';
import type { Failure, SessionOptions } from '@espalier/protocol';

/** What the worker is started with. */
export interface WorkerSettings {
  /** An `.npz` to run on; null: there is nothing to infer. */
  readonly inputPath: string | null;
  /** Factor by which a slower processor is emulated; null: it is not. */
  readonly emulatedSlowdown: number | null;
}

/** A model file and how to open it. */
export interface LoadRequest {
  readonly path: string;
  readonly expectedSha256: string;
  readonly length: number;
  readonly session: SessionOptions;
  readonly card: InputCard | null;
}

export interface Loaded {
  /** Hash of the bytes that were read for the session. */
  readonly loadedSha256: string;
  /** Resident set gained by the session. */
  readonly modelBytes: number;
}

export interface Inference {
  /** Time of the session's run; with an emulated slowdown, really waited. */
  readonly latencyMs: number;
  readonly finite: boolean;
  /** Samples with a label, and how many of them were classified right. */
  readonly labelled: number;
  readonly correct: number;
  /** What was seen of each sample of the input; of a pattern nothing. */
  readonly seen: readonly SeenSample[];
  /** What was asked to be kept of it; null: nothing. */
  readonly kept: KeptInput | null;
}

/** One input as the model was fed it, and what the model said of it. */
export interface KeptInput {
  /** Without the batch. */
  readonly dims: readonly number[];
  readonly data: Float32Array<ArrayBuffer>;
  readonly output: OutputFeatures | { readonly values: Float32Array };
}

/** What the sketch of a window keeps of one sample; no output where the model does not classify. */
export interface SeenSample {
  readonly input: InputFeatures;
  readonly output: OutputFeatures | null;
}

/** Requests to the worker by name: what is given, what comes back. */
export interface WorkerCalls {
  /** Opens the input; gives the number of its samples. */
  open: { request: null; answer: number };
  load: { request: LoadRequest; answer: Loaded };
  /** One run on input or, without any, on a pattern of the model's shape. */
  probe: { request: null; answer: Inference };
  /** One run on the next samples; a number in [0, 1) picks the one whose input is kept. */
  infer: { request: number | null; answer: Inference };
  release: { request: null; answer: null };
}
export type WorkerCall = keyof WorkerCalls;

export interface CallMessage<C extends WorkerCall = WorkerCall> {
  readonly id: number;
  readonly call: C;
  readonly request: WorkerCalls[C]['request'];
}

export type AnswerMessage =
  | { readonly id: number; readonly answer: WorkerCalls[WorkerCall]['answer'] }
  | { readonly id: number; readonly failure: Failure & { readonly loadedSha256: string | null } };
