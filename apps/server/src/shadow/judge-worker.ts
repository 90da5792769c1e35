/** The process that holds dense models open and judges samples with them, a task at a time. */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseCard } from '@espalier/dataset';
import { openSession, type Session } from '@espalier/onnx';
import {
  judgeTaskSchema,
  type JudgeAnswer,
  type JudgeResult,
  type JudgeTask,
} from './judge-messages.js';
import { judge, SampleFault } from './judgement.js';

/** Sessions by the model's hash, the one used last at the end. */
const sessions = new Map<string, Session>();

async function sessionOf({ modelSha256, modelPath, mostModels }: JudgeTask): Promise<Session> {
  const open = sessions.get(modelSha256);
  sessions.delete(modelSha256);
  while (sessions.size >= mostModels) {
    const [oldest] = sessions;
    if (!oldest) break;
    sessions.delete(oldest[0]);
    await oldest[1].release();
  }
  const session = open ?? (await openModel(modelPath, modelSha256));
  sessions.set(modelSha256, session);
  return session;
}

async function openModel(path: string, expected: string): Promise<Session> {
  const bytes = new Uint8Array(await readFile(path));
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== expected) throw new Error(`The stored model is ${sha256}, not ${expected}.`);
  return openSession(bytes, { threads: 1 });
}

async function answer(task: JudgeTask): Promise<JudgeResult[]> {
  let session: Session;
  const card = task.card === null ? undefined : parseCard(task.card);
  try {
    session = await sessionOf(task);
  } catch (cause) {
    const why = textOf(cause);
    return task.samples.map(({ id }) => ({ id, fault: 'SHADOW_MODEL' as const, why }));
  }
  const results: JudgeResult[] = [];
  for (const sample of task.samples) {
    try {
      results.push(await judge(session, card, sample));
    } catch (cause) {
      const fault = cause instanceof SampleFault ? cause.code : 'SHADOW_JUDGE';
      results.push({ id: sample.id, fault, why: textOf(cause) });
    }
  }
  return results;
}

const textOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).slice(0, 512);

process.on('message', (raw) => {
  const task = judgeTaskSchema.parse(raw);
  answer(task).then(
    (results) => process.send?.({ id: task.id, results } satisfies JudgeAnswer),
    (cause: unknown) => {
      process.stderr.write(`${textOf(cause)}\n`);
      process.exit(1);
    },
  );
});
process.once('disconnect', () => process.exit());
