import { seededRandom } from '@espalier/dataset';
import type { Profile } from '@espalier/protocol';
import { SETTLING_PROFILES, settleProfiles } from '@espalier/tuning';
import { measureOwnProfile, measureTruth, type Truth, type TruthRequest } from './children.js';

/** A round counts where the reference ran at most so much slower than ever. */
const STEADY = 1.12;
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
  readonly profiles: Profile[] = [];
  private readonly fastest = new Map<number, number>();

  constructor(
    private readonly empty: string,
    private readonly reference: string,
    private readonly note: (line: string) => void,
  ) {}

  /** Measures a profile, as a device does now and then. */
  private async measureProfile(): Promise<void> {
    const { profile, seconds } = await measureOwnProfile();
    const { disturbed = 0, probeMs, kernels, measuringPeakBytes } = profile;
    this.note(
      `profile in ${seconds.toFixed(1)} s: ${kernels.length} times, ${(100 * disturbed).toFixed(0)} % disturbed, probe ${probeMs?.toFixed(4) ?? '-'} ms, at most ${((measuringPeakBytes ?? 0) / 1e6).toFixed(1)} MB`,
    );
    this.profiles.push(profile);
  }

  /** What the profiles of the machine's usual state have in common, as a server plans from them. */
  settled(): Profile {
    const fastest = Math.min(...this.profiles.map(({ probeMs }) => probeMs ?? Infinity));
    const usual = this.profiles.filter(({ probeMs }) => (probeMs ?? Infinity) <= STEADY * fastest);
    const newest = usual.at(-1);
    if (!newest) throw new Error('No profile was measured.');
    return settleProfiles(newest, usual.slice(0, -1));
  }

  /**
   * Measures until each has its rounds or the time is over, in an order of their own each round, and
   * profiles between: what is predicted and what it is predicted from are to see the same machine,
   * which changes within minutes.
   */
  async measure(all: readonly Measured[], seed: number, seconds: number): Promise<void> {
    const random = seededRandom(seed);
    const end = performance.now() + 1000 * seconds;
    for (let round = 0; round < MOST_ROUNDS && performance.now() < end; round++) {
      if (this.profiles.length < SETTLING_PROFILES) await this.measureProfile();
      const wanted = all.filter((one) => this.counted(one).length < ROUNDS);
      for (const one of random.shuffle([...wanted])) {
        if (performance.now() > end) break;
        const { empty, reference } = this;
        const truth = await measureTruth({
          ...{ empty, reference, ...one.request, milliseconds: RUN_MS },
        });
        this.see(one.request.threads, truth.referenceMs);
        one.rounds.push(truth);
      }
      if (wanted.length === 0) break;
    }
    while (this.profiles.length < SETTLING_PROFILES) await this.measureProfile();
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

  private see(threads: number, referenceMs: number): void {
    this.fastest.set(threads, Math.min(this.fastest.get(threads) ?? Infinity, referenceMs));
  }

  private isSteady(threads: number, referenceMs: number): boolean {
    return referenceMs <= STEADY * (this.fastest.get(threads) ?? Infinity);
  }
}
