import { readFile, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { compressPareto, inspectModel, type Inspection } from '@espalier/compression';
import { openDataset, parseCard, prepareBatch, readingFile, type Dataset } from '@espalier/dataset';
import { readModel } from '@espalier/onnx';
import { describeCandidate } from '@espalier/tuning';
import {
  compressionTaskSchema,
  type CandidateFile,
  type CompressionMessage,
  type CompressionTask,
} from './compression-messages.js';

/** Sends, and waits until the parent's pipe took it. */
function say(message: CompressionMessage): Promise<void> {
  return new Promise((resolve, reject) => {
    if (!process.send) {
      reject(new Error('This file is run by the server, with a channel to it.'));
      return;
    }
    process.send(message, (cause: Error | null) => (cause ? reject(cause) : resolve()));
  });
}

async function openTask(task: CompressionTask) {
  return {
    model: new Uint8Array(await readFile(task.modelPath)),
    calibration: await openData('calibration', task.calibrationPath),
    evaluation: task.evaluationPath ? await openData('evaluation', task.evaluationPath) : undefined,
    card: task.card === null ? undefined : parseCard(task.card),
  };
}

async function openData(name: string, path: string): Promise<Dataset> {
  const bytes = await readFile(path);
  return readingFile(name, () => openDataset(bytes));
}

/**
 * Looks into a model, and whether its data fits: said now, not when candidates are made.
 * @throws DatasetError DATASET_SHAPE
 */
async function inspect(task: CompressionTask): Promise<Inspection> {
  const { model, calibration, evaluation, card } = await openTask(task);
  const inspection = inspectModel(model);
  const [input, ...others] = inspection.inputs;
  if (!input || input.shape.length === 0 || others.length > 0) return inspection;
  const dims = [null, ...input.shape.slice(1)];
  for (const [name, data] of Object.entries({ calibration, evaluation })) {
    if (data) readingFile(name, () => prepareBatch(data, card, [0], dims));
  }
  return inspection;
}

async function compress(task: Extract<CompressionTask, { type: 'compress' }>): Promise<void> {
  const { seed, points, precisions } = task.request;
  const { candidates } = await compressPareto(
    { ...(await openTask(task)), goals: [], precision: 'auto', seed, points, precisions },
    {
      onProgress: ({ stage, done, total }) =>
        void say({ type: 'progress', stage, done, total }).catch(() => process.exit(1)),
    },
  );
  const files: CandidateFile[] = [];
  for (const { id, model, artifact, report } of candidates) {
    const modelFile = join(task.outFolder, `${id}.onnx`);
    const artifactFile = join(task.outFolder, `${id}.artifact`);
    await writeFile(modelFile, model);
    await writeFile(artifactFile, artifact.bytes);
    files.push({
      modelFile,
      artifactFile,
      encoding: artifact.encoding,
      modelSha256: createHash('sha256').update(model).digest('hex'),
      artifactSha256: artifact.sha256,
      report,
      costs: describeCandidate(readModel(model), report.variant.precision),
    });
  }
  await say({ type: 'compressed', candidates: files });
}

async function run(raw: unknown): Promise<void> {
  try {
    const task = compressionTaskSchema.parse(raw);
    if (task.type === 'compress') {
      await compress(task);
    } else {
      await say({ type: 'inspected', inspection: { ...(await inspect(task)) } });
    }
  } catch (cause) {
    const code =
      cause instanceof Error && 'code' in cause ? String(cause.code) : 'COMPRESS_PROCESS';
    const message = cause instanceof Error ? cause.message : String(cause);
    await say({ type: 'failed', code, message: message.slice(0, 4096) });
  }
  process.disconnect();
}

process.once('message', (raw) => {
  run(raw).catch((cause: unknown) => {
    process.stderr.write(`${String(cause)}\n`);
    process.exit(1);
  });
});
process.once('disconnect', () => process.exit());
