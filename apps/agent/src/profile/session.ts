import { InferenceSession, Tensor } from 'onnxruntime-node';
import { contention, threadTimes } from './contention.js';
import { noise } from './kernel-chain.js';

export type Feeds = Readonly<Record<string, Tensor>>;

/** A feed that is the same on every device. */
export function inputFeeds({ name, shape }: { name: string; shape: readonly number[] }): Feeds {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return { [name]: new Tensor('float32', noise(size, 0), shape) };
}

/** Threads that sleep as soon as a run ends; else they look for work for a while and take a processor from others. */
export const SLEEPING = { session: { force_spinning_stop: '1' } } as const;

/** Opens a session as the agent serves with one; the model's bytes are not held any longer than that. */
export function openSession(
  bytes: () => Uint8Array,
  threads: number,
  extra: typeof SLEEPING | Record<string, never> = {},
): Promise<InferenceSession> {
  return InferenceSession.create(bytes(), {
    extra,
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });
}

/** Uses a session, and releases it whatever happens. */
export async function withSession<T>(
  bytes: () => Uint8Array,
  threads: number,
  use: (session: InferenceSession) => Promise<T>,
): Promise<T> {
  const session = await openSession(bytes, threads);
  try {
    return await use(session);
  } finally {
    await session.release();
  }
}

/** One run, milliseconds. */
export async function timeRun(session: InferenceSession, feeds: Feeds): Promise<number> {
  const start = performance.now();
  await session.run(feeds);
  return performance.now() - start;
}

/** Beyond that, runs in which a thread was preempted are left out, which keeps most of what waiting costs out. */
const SETTLE_MS = 24;
const SETTLE_WINDOW_MS = 3;
/** Two windows in a row with less waiting than this: each thread has a processor of its own. */
const SETTLED = 0.25;

/**
 * Runs until the threads no longer take turns on one processor. A system may start a new thread beside
 * the one that made it, and moves it only after some of its clock's ticks; a served model is past that.
 */
export async function settleThreads(session: InferenceSession, feeds: Feeds): Promise<void> {
  const end = performance.now() + SETTLE_MS;
  for (let calm = 0; calm < 2 && performance.now() < end;) {
    const [before, start] = [threadTimes(), performance.now()];
    do await timeRun(session, feeds);
    while (performance.now() - start < SETTLE_WINDOW_MS);
    const waiting = contention(before, threadTimes(), performance.now() - start);
    calm = waiting < SETTLED ? calm + 1 : 0;
  }
}
