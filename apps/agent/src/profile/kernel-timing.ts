import { type Session, type Tensor, openSession, tensorOf, writeModel } from '@espalier/onnx';
import type { Kernel, KernelTime } from '@espalier/protocol';
import { chainInput, chainModel, chainSteps, noise } from './kernel-chain.js';
import { medianAndSpread } from './statistics.js';

/** How long a kernel may be timed. */
export interface TimingBudget {
  /** Milliseconds of timed runs, once the warm-up is done. */
  readonly milliseconds: number;
  readonly minRuns: number;
}

const WARM_UPS = 2;
const MOST_RUNS = 200;

/**
 * Times one kernel at each thread count: a long and a short chain run in turn, and each difference
 * over the steps between them is one sample, so that the call and both ends of the chain cancel.
 */
export async function timeKernel(
  kernel: Kernel,
  precision: 'fp32' | 'int8',
  threads: readonly number[],
  budget: TimingBudget,
): Promise<KernelTime[]> {
  const [shortSteps, longSteps] = chainSteps(kernel);
  const short = writeModel(chainModel(kernel, precision, shortSteps));
  const long = writeModel(chainModel(kernel, precision, longSteps));
  const { name, shape } = chainInput(kernel);
  const feeds = { [name]: inputTensor(shape) };
  const times: KernelTime[] = [];
  for (const count of threads) {
    const samples = await withSession(short, count, (brief) =>
      withSession(long, count, (extended) =>
        alternate(
          () => timeRun(brief, feeds),
          () => timeRun(extended, feeds),
          budget,
        ),
      ),
    );
    const { median, spread } = medianAndSpread(
      samples.map((sample) => sample / (longSteps - shortSteps)),
    );
    times.push({
      ...{ id: kernel.id, precision, threads: count },
      ...{ medianMs: median, spread, runs: samples.length },
    });
  }
  return times;
}

/**
 * One call into the runtime with a graph that does next to nothing, milliseconds. Half of the time
 * goes by before any call counts, so that the code around the call is compiled by then.
 */
export function timeCall(threads: number, budget: TimingBudget): Promise<number> {
  const { name, shape } = chainInput(EMPTY);
  const feeds = { [name]: inputTensor(shape) };
  return withSession(writeModel(chainModel(EMPTY, 'fp32', 1)), threads, async (session) => {
    const warm = performance.now() + budget.milliseconds / 2;
    while (performance.now() < warm) await timeRun(session, feeds);
    const samples = await alternate(
      () => Promise.resolve(0),
      () => timeRun(session, feeds),
      { ...budget, milliseconds: budget.milliseconds / 2 },
    );
    return medianAndSpread(samples).median;
  });
}

/** The smallest graph: one element negated. */
const EMPTY: Kernel = {
  ...{ id: 'empty', op: 'negate', precisions: ['fp32'], cin: 1, cout: 1, size: 1 },
  ...{ kernel: 1, stride: 1, group: 1, activation: 'relu' },
} as const;

/**
 * Differences of a long and a short run in turn. A pair in which the process was preempted counts
 * only where there are too few others: what else the machine does is not the kernel's time.
 */
async function alternate(
  short: () => Promise<number>,
  long: () => Promise<number>,
  budget: TimingBudget,
): Promise<number[]> {
  for (let run = 0; run < WARM_UPS; run++) {
    await short();
    await long();
  }
  const clean: number[] = [];
  const disturbed: number[] = [];
  const end = performance.now() + budget.milliseconds;
  while (clean.length + disturbed.length < MOST_RUNS) {
    const before = preemptions();
    const less = await short();
    const sample = (await long()) - less;
    (preemptions() === before ? clean : disturbed).push(sample);
    const enough = Math.max(clean.length, disturbed.length / 2) >= budget.minRuns;
    if (enough && performance.now() >= end) break;
  }
  return clean.length >= budget.minRuns ? clean : [...clean, ...disturbed];
}

function preemptions(): number {
  return process.resourceUsage().involuntaryContextSwitches;
}

async function timeRun(session: Session, feeds: Parameters<Session['run']>[0]): Promise<number> {
  const start = performance.now();
  await session.run(feeds);
  return performance.now() - start;
}

async function withSession<T>(
  bytes: Uint8Array,
  threads: number,
  use: (session: Session) => Promise<T>,
): Promise<T> {
  const session = await openSession(bytes, { threads });
  try {
    return await use(session);
  } finally {
    await session.release();
  }
}

function inputTensor(shape: readonly number[]): Tensor {
  const values = noise(
    shape.reduce((product, dim) => product * dim, 1),
    0,
  );
  return tensorOf('float32', shape, values);
}
