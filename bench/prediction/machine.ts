import { seededRandom } from '@espalier/dataset';
import type { Profile } from '@espalier/protocol';
import { measureOwnProfile, measureTruth, type Truth, type TruthRequest } from './children.js';

/** A round counts where the reference ran at most so much slower than ever. */
const STEADY = 1.12;
const PROFILE_TRIES = 6;
/** A profile with no larger share of disturbed kernels is taken as it is. */
const UNDISTURBED = 0.03;
const RUN_MS = 50;
/** Rounds that count, for each pair, before the next is measured no more. */
const ROUNDS = 3;
const MOST_ROUNDS = 40;

/** What is measured again and again until enough rounds count. */
export interface Measured {
  readonly request: Pick<TruthRequest, 'model' | 'threads'>;
  readonly rounds: Truth[];
}

/**
 * This machine, which is not always in the same state: a virtual one may have its processors far from
 * each other, or shared. The reference model tells; what was measured in another state is left out.
 */
export class Machine {
  private readonly fastest = new Map<number, number>();

  constructor(
    private readonly empty: string,
    private readonly reference: string,
    private readonly note: (line: string) => void,
  ) {}

  /**
   * The least disturbed of a few profiles: one is enough where nothing else runs. Each is measured by
   * the agent alone, as a device does; none is put together from several.
   */
  async profile(threads: number): Promise<Profile> {
    const found: Profile[] = [];
    for (let attempt = 0; attempt < PROFILE_TRIES; attempt++) {
      const { profile, seconds } = await measureOwnProfile();
      const { disturbed = 0, probeMs, kernels, measuringPeakBytes } = profile;
      this.note(
        `profile in ${seconds.toFixed(1)} s: ${kernels.length} times, ${(100 * disturbed).toFixed(0)} % disturbed, probe ${probeMs?.toFixed(4) ?? '-'} ms, at most ${((measuringPeakBytes ?? 0) / 1e6).toFixed(1)} MB`,
      );
      found.push(profile);
      await this.state(threads);
      if (disturbed <= UNDISTURBED) break;
    }
    const fastest = Math.min(...found.map(({ probeMs }) => probeMs ?? Infinity));
    const [best] = found
      .filter(({ probeMs }) => (probeMs ?? 0) <= STEADY * fastest)
      .sort((one, other) => (one.disturbed ?? 0) - (other.disturbed ?? 0));
    if (!best) throw new Error('No profile was measured.');
    return best;
  }

  /** Measures until each has its rounds or the time is over, in an order of their own each round. */
  async measure(all: readonly Measured[], seed: number, seconds: number): Promise<void> {
    const random = seededRandom(seed);
    const end = performance.now() + 1000 * seconds;
    for (let round = 0; round < MOST_ROUNDS; round++) {
      const wanted = all.filter((one) => this.counted(one).length < ROUNDS);
      if (wanted.length === 0) break;
      for (const one of random.shuffle([...wanted])) {
        if (performance.now() > end) return;
        const { empty, reference } = this;
        const truth = await measureTruth({
          ...{ empty, reference, ...one.request, milliseconds: RUN_MS },
        });
        this.see(one.request.threads, truth.referenceMs);
        one.rounds.push(truth);
      }
    }
  }

  /** The median over the rounds that count; where none does, the one nearest to it. */
  p50(one: Measured): number {
    const counted = this.counted(one);
    const nearest = [...one.rounds].sort((a, b) => a.referenceMs - b.referenceMs).slice(0, 1);
    const times = (counted.length > 0 ? counted : nearest).map(({ p50 }) => p50);
    times.sort((a, b) => a - b);
    return times[(times.length - 1) >> 1] ?? 0;
  }

  counted({ request, rounds }: Measured): Truth[] {
    return rounds.filter(({ referenceMs }) => this.isSteady(request.threads, referenceMs));
  }

  private async state(threads: number): Promise<number> {
    const { empty, reference } = this;
    const { referenceMs } = await measureTruth({
      ...{ empty, reference, model: empty, threads, milliseconds: 1 },
    });
    this.see(threads, referenceMs);
    return referenceMs;
  }

  private see(threads: number, referenceMs: number): void {
    this.fastest.set(threads, Math.min(this.fastest.get(threads) ?? Infinity, referenceMs));
  }

  private isSteady(threads: number, referenceMs: number): boolean {
    return referenceMs <= STEADY * (this.fastest.get(threads) ?? Infinity);
  }
}
