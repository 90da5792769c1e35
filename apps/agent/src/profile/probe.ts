import { writeModel } from '@espalier/onnx';
import type { Kernel } from '@espalier/protocol';
import type { InferenceSession } from 'onnxruntime-node';
import { chainInput, chainModel } from './kernel-chain.js';
import { inputFeeds, openSession, settleThreads, SLEEPING, timeRun } from './session.js';
import { centreOf } from './statistics.js';

const STEPS = 12;
const WARM_UPS = 2;
const RUNS = 7;
const PROBED: Kernel = {
  ...{ id: 'probe', op: 'conv', precisions: ['fp32'], cin: 16, cout: 16, size: 16, width: 16 },
  ...{ kernel: 1, stride: 1, group: 1, activation: 'relu', steps: null, weights: 'near' },
} as const;

/**
 * Asks for the state of the machine: a short chain of small steps, which whatever else uses the
 * processor slows down as it does any kernel. Its sessions stay open, so that an answer takes a
 * fraction of a millisecond, and their threads sleep in between.
 */
export class Probe {
  private readonly bytes = writeModel(chainModel(PROBED, 'fp32', STEPS));
  private readonly feeds = inputFeeds(chainInput(PROBED));
  private readonly sessions = new Map<number, InferenceSession>();

  /** Milliseconds of one run at a number of threads, now. */
  async time(threads: number): Promise<number> {
    const session = this.sessions.get(threads) ?? (await this.open(threads));
    for (let run = 0; run < WARM_UPS; run++) await timeRun(session, this.feeds);
    const samples: number[] = [];
    for (let run = 0; run < RUNS; run++) samples.push(await timeRun(session, this.feeds));
    return centreOf(samples).median;
  }

  private async open(threads: number): Promise<InferenceSession> {
    const session = await openSession(() => this.bytes, threads, SLEEPING);
    this.sessions.set(threads, session);
    if (threads > 1) await settleThreads(session, this.feeds);
    return session;
  }
}
