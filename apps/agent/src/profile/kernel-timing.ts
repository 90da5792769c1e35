import { writeModel } from '@espalier/onnx';
import { chainSteps, type Kernel, type KernelTime } from '@espalier/protocol';
import type { InferenceSession } from 'onnxruntime-node';
import type { Caches } from './caches.js';
import { contention, threadTimes } from './contention.js';
import { chainInput, chainModel } from './kernel-chain.js';
import type { Probe } from './probe.js';
import { type Feeds, inputFeeds, settleThreads, timeRun, withSession } from './session.js';
import { centreDifference, centreOf } from './statistics.js';

/** How long a kernel may be timed. */
export interface TimingBudget {
  /** Milliseconds of timed runs, once the warm-up is done. */
  readonly milliseconds: number;
  readonly minRuns: number;
}

const WARM_UPS = 2;
const MOST_RUNS = 200;

/** The time of a kernel, and what tells whether anything disturbed it. */
export interface TimedKernel {
  readonly time: KernelTime;
  /** Waiting for a processor over the time measured for, all working threads together. */
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
   * @param probe asked before, between and after the chains
   */
  constructor(
    readonly kernel: Kernel,
    readonly precision: 'fp32' | 'int8',
    private readonly caches: Caches,
    private readonly leavings: Leavings,
    private readonly probe: Pick<Probe, 'time'>,
  ) {
    this.feeds = inputFeeds(chainInput(kernel));
  }

  /**
   * Times the kernel: runs of a short chain, then of a long one; the difference of the medians over
   * the steps between them is its time, for the call and both ends of the chain cancel. Never two
   * sessions at a time, but the probe's, whose threads sleep: those of one that just ran still look for
   * work for a while, and would take a processor from the other.
   */
  async time(threads: number, budget: TimingBudget): Promise<TimedKernel> {
    const half = { ...budget, milliseconds: budget.milliseconds / 2 };
    const [few, many] = chainSteps(this.kernel);
    const before = await this.probe.time(threads);
    const short = await this.measure(few, threads, half);
    const between = await this.probe.time(threads);
    const long = await this.measure(many, threads, half);
    const after = await this.probe.time(threads);
    const [less, more] = [centreOf(short.samples), centreOf(long.samples)];
    const { median, spread } = centreDifference(more, less);
    return {
      time: {
        ...{ id: this.kernel.id, precision: this.precision, threads },
        ...{ medianMs: median / (many - few), chainsMs: [less.median, more.median], spread },
        statesMs: [Math.max(before, between), Math.max(between, after)],
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
      if (threads > 1) await settleThreads(session, this.feeds);
      const [before, start] = [threadTimes(), performance.now()];
      const samples = await timeRuns(session, this.feeds, budget, () => {
        if (this.kernel.weights === 'far') this.caches.fill();
      });
      const waiting = contention(before, threadTimes(), performance.now() - start);
      return { samples, waiting };
    });
  }
}

interface TimedRuns {
  readonly samples: readonly number[];
  readonly waiting: number;
}

/**
 * One call into the runtime with a graph that does next to nothing, milliseconds; one call right after
 * another, as a busy device makes them. Half of the time goes by before any counts, so that the code
 * around the call is compiled by then.
 */
export function timeCall(threads: number, milliseconds: number): Promise<number> {
  const feeds = inputFeeds(chainInput(EMPTY));
  return withSession(
    () => writeModel(chainModel(EMPTY, 'fp32', 1)),
    threads,
    async (session) => {
      if (threads > 1) await settleThreads(session, feeds);
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
