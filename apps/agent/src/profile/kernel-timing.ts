import { writeModel } from '@espalier/onnx';
import { chainSteps, type Kernel, type KernelTime } from '@espalier/protocol';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { contention, threadTimes } from './contention.js';
import { chainInput, chainModel, noise } from './kernel-chain.js';
import { centreDifference, centreOf } from './statistics.js';

/** How long a kernel may be timed. */
export interface TimingBudget {
  /** Milliseconds of timed runs, once the warm-up is done. */
  readonly milliseconds: number;
  readonly minRuns: number;
}

type Feeds = Readonly<Record<string, Tensor>>;

const PASSAGES = 3;

/** Fills the caches with other data, by reading so many bytes. */
export class Caches {
  /** Of a size that changes, for then its memory goes without a collection. */
  private readonly memory: ArrayBuffer;

  constructor(private readonly bytes: number) {
    this.memory = new ArrayBuffer(0, { maxByteLength: bytes });
  }

  fill(): void {
    const isNew = this.memory.byteLength === 0;
    if (isNew) this.memory.resize(this.bytes);
    const buffer = Buffer.from(this.memory, 0, this.bytes);
    if (isNew) buffer.fill(1);
    // A cache displaces its lines at random: a third of them outlives the first passage.
    for (let passage = 0; passage < PASSAGES; passage++) buffer.indexOf(2);
  }

  /** Lets the bytes go: a session is made without them beside it. */
  release(): void {
    this.memory.resize(0);
  }
}

const WARM_UPS = 2;
const MOST_RUNS = 200;

/** The time of a kernel, and how much of the measuring its threads waited for a processor. */
export interface TimedKernel {
  readonly time: KernelTime;
  /** Waiting over the time measured for, all working threads together. */
  readonly waiting: number;
}

/** Keeps memory low and calls fast while nothing is timed. */
export interface Leavings {
  collect(): void;
  /** Where collecting threw compiled code away, makes calls until it is compiled again. */
  warm(): Promise<void>;
}

/** The chains of a kernel. */
export class KernelTimer {
  private readonly feeds: Feeds;

  /**
   * @param caches emptied before each run of a kernel that is to find its weights in memory
   * @param leavings what making and opening a model leaves behind
   */
  constructor(
    readonly kernel: Kernel,
    readonly precision: 'fp32' | 'int8',
    private readonly caches: Caches,
    private readonly leavings: Leavings,
  ) {
    const { name, shape } = chainInput(kernel);
    this.feeds = { [name]: inputTensor(shape) };
  }

  /**
   * Times the kernel: runs of a short chain, then of a long one; the difference of the medians over
   * the steps between them is its time, for the call and both ends of the chain cancel. Never two
   * sessions at a time: the threads of one that just ran still look for work for a while, and would
   * take a processor from the other.
   */
  async time(threads: number, budget: TimingBudget): Promise<TimedKernel> {
    const half = { ...budget, milliseconds: budget.milliseconds / 2 };
    const [few, many] = chainSteps(this.kernel);
    const short = await this.measure(few, threads, half);
    const long = await this.measure(many, threads, half);
    const [less, more] = [centreOf(short.samples), centreOf(long.samples)];
    const { median, spread } = centreDifference(more, less);
    return {
      time: {
        ...{ id: this.kernel.id, precision: this.precision, threads },
        ...{ medianMs: median / (many - few), chainsMs: [less.median, more.median], spread },
        runs: Math.min(short.samples.length, long.samples.length),
      },
      waiting: Math.max(short.waiting, long.waiting),
    };
  }

  private measure(steps: number, threads: number, budget: TimingBudget): Promise<TimedRuns> {
    const bytes = (): Uint8Array => {
      const written = writeModel(chainModel(this.kernel, this.precision, steps));
      this.leavings.collect();
      return written;
    };
    return withSession(bytes, threads, async (session) => {
      this.leavings.collect();
      await this.leavings.warm();
      if (threads > 1) await settle(session, this.feeds);
      const [before, start] = [threadTimes(), performance.now()];
      const samples = await timeRuns(session, this.feeds, budget, () => {
        if (this.kernel.weights === 'far') this.caches.fill();
      });
      const waiting = contention(before, threadTimes(), performance.now() - start);
      this.caches.release();
      return { samples, waiting };
    });
  }
}

interface TimedRuns {
  readonly samples: readonly number[];
  readonly waiting: number;
}

const SETTLE_MS = 60;
const SETTLE_WINDOW_MS = 3;
/** Two windows in a row with less waiting than this: each thread has a processor of its own. */
const SETTLED = 0.25;

/**
 * Runs until the threads no longer take turns on one processor. A system may start a new thread beside
 * the one that made it, and moves it only after some of its clock's ticks; a served model is past that.
 */
async function settle(session: InferenceSession, feeds: Feeds): Promise<void> {
  const end = performance.now() + SETTLE_MS;
  for (let calm = 0; calm < 2 && performance.now() < end;) {
    const [before, start] = [threadTimes(), performance.now()];
    do await timeRun(session, feeds);
    while (performance.now() - start < SETTLE_WINDOW_MS);
    const waiting = contention(before, threadTimes(), performance.now() - start);
    calm = waiting < SETTLED ? calm + 1 : 0;
  }
}

/**
 * One call into the runtime with a graph that does next to nothing, milliseconds; one call right after
 * another, as a busy device makes them. Half of the time goes by before any counts, so that the code
 * around the call is compiled by then.
 */
export function timeCall(threads: number, milliseconds: number): Promise<number> {
  const { name, shape } = chainInput(EMPTY);
  const feeds = { [name]: inputTensor(shape) };
  return withSession(
    () => writeModel(chainModel(EMPTY, 'fp32', 1)),
    threads,
    async (session) => {
      if (threads > 1) await settle(session, feeds);
      const samples: number[] = [];
      const start = performance.now();
      for (let before = start; before < start + milliseconds;) {
        await session.run(feeds);
        const after = performance.now();
        if (after > start + milliseconds / 2) samples.push(after - before);
        before = after;
      }
      return samples.length > 0 ? centreOf(samples).median : milliseconds;
    },
  );
}

/** A short chain of small steps, which a disturbed machine slows down more than any other. */
export class Probe {
  private readonly bytes = writeModel(chainModel(PROBED, 'fp32', PROBE_STEPS));
  private readonly feeds: Feeds;

  constructor() {
    const { name, shape } = chainInput(PROBED);
    this.feeds = { [name]: inputTensor(shape) };
  }

  /** Milliseconds of one run at a number of threads. */
  time(threads: number): Promise<number> {
    const budget = { milliseconds: PROBE_MS, minRuns: PROBE_RUNS };
    return withSession(
      () => this.bytes,
      threads,
      async (session) => {
        if (threads > 1) await settle(session, this.feeds);
        const samples = await timeRuns(session, this.feeds, budget);
        return centreOf(samples).median;
      },
    );
  }
}

const PROBE_STEPS = 12;
const PROBE_MS = 0.7;
const PROBE_RUNS = 9;
const PROBED: Kernel = {
  ...{ id: 'probe', op: 'conv', precisions: ['fp32'], cin: 16, cout: 16, size: 16, width: 16 },
  ...{ kernel: 1, stride: 1, group: 1, activation: 'relu', steps: null, weights: 'near' },
} as const;

/** The smallest graph: one element negated. */
const EMPTY: Kernel = {
  ...{ id: 'empty', op: 'negate', precisions: ['fp32'], cin: 1, cout: 1, size: 1 },
  ...{ width: 1, kernel: 1, stride: 1, group: 1, activation: 'relu', steps: null, weights: 'near' },
} as const;

/**
 * Times of runs, milliseconds. One in which the process was preempted counts only where there are
 * too few others: what else the machine does is not the kernel's time.
 */
async function timeRuns(
  session: InferenceSession,
  feeds: Feeds,
  budget: TimingBudget,
  prepare = () => {},
): Promise<number[]> {
  for (let run = 0; run < WARM_UPS; run++) await timeRun(session, feeds);
  const clean: number[] = [];
  const disturbed: number[] = [];
  const end = performance.now() + budget.milliseconds;
  while (clean.length + disturbed.length < MOST_RUNS) {
    prepare();
    const before = preemptions();
    const sample = await timeRun(session, feeds);
    (preemptions() === before ? clean : disturbed).push(sample);
    const enough = Math.max(clean.length, disturbed.length / 2) >= budget.minRuns;
    if (enough && performance.now() >= end) break;
  }
  return clean.length >= budget.minRuns ? clean : [...clean, ...disturbed];
}

function preemptions(): number {
  return process.resourceUsage().involuntaryContextSwitches;
}

async function timeRun(session: InferenceSession, feeds: Feeds): Promise<number> {
  const start = performance.now();
  await session.run(feeds);
  return performance.now() - start;
}

/** Opens a session as the agent serves with one; the model's bytes are not held any longer than that. */
async function withSession<T>(
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

function openSession(bytes: () => Uint8Array, threads: number): Promise<InferenceSession> {
  return InferenceSession.create(bytes(), {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'all',
    logSeverityLevel: 3,
  });
}

function inputTensor(shape: readonly number[]): Tensor {
  const size = shape.reduce((product, dim) => product * dim, 1);
  return new Tensor('float32', noise(size, 0), shape);
}
