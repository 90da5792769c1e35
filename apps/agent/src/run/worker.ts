/** The thread that holds the inference session; nothing else loads ONNX Runtime while it serves. */
import { parentPort, workerData } from 'node:worker_threads';
import { failureOf } from '../errors.js';
import { collectGarbage } from '../lean.js';
import { LoadedModel, OtherHashError, readInput, type Input } from './loaded-model.js';
import type { AnswerMessage, CallMessage, WorkerCalls, WorkerSettings } from './requests.js';

const settings = workerData as WorkerSettings;
let input: Input | undefined;
let model: LoadedModel | undefined;

async function open(): Promise<number> {
  if (settings.inputPath !== null) input ??= await readInput(settings.inputPath);
  return input?.dataset.count ?? 0;
}

async function release(): Promise<null> {
  const held = model;
  model = undefined;
  await held?.release();
  return null;
}

async function load(
  request: WorkerCalls['load']['request'],
): Promise<WorkerCalls['load']['answer']> {
  await release();
  await open();
  const before = process.memoryUsage.rss();
  model = await LoadedModel.open(request, input, settings.emulatedSlowdown);
  // The file's bytes among it.
  collectGarbage();
  return {
    loadedSha256: model.sha256,
    modelBytes: Math.max(0, process.memoryUsage.rss() - before),
  };
}

function loaded(): LoadedModel {
  if (!model) throw new Error('No model is loaded.');
  return model;
}

async function answer({ call, request }: CallMessage): Promise<unknown> {
  switch (call) {
    case 'open':
      return open();
    case 'load':
      return load(request as WorkerCalls['load']['request']);
    case 'release':
      return release();
    case 'probe':
      return loaded().probe();
    case 'infer':
      return loaded().infer(request as WorkerCalls['infer']['request']);
  }
}

parentPort?.on('message', (message: CallMessage) => {
  answer(message).then(
    (value) => parentPort?.postMessage({ id: message.id, answer: value } as AnswerMessage),
    (error: unknown) =>
      parentPort?.postMessage({
        id: message.id,
        failure: {
          ...failureOf(error),
          loadedSha256: error instanceof OtherHashError ? error.loadedSha256 : null,
        },
      } satisfies AnswerMessage),
  );
});
