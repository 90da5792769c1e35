import { seededRandom } from '@espalier/dataset';
import { BEST_SHARE, type Profile, STEADY } from '@espalier/protocol';
import { SETTLING_PROFILES, settleProfiles } from '@espalier/tuning';
import { measureOwnProfile, measureTruth, type TimeWindow, type TruthRequest } from './children.js';

/** Windows that count, for each pair, before it is measured no more; of more than three processes. */
const WINDOWS = 19;
/** A window in which threads took turns on one processor for longer does not count. */
const MOST_WAITING = 0.25;
const MOST_ROUNDS = 40;

/** What is measured again and again until enough windows count. */
export interface Measured {
  readonly request: Pick<TruthRequest, 'model' | 'threads'>;
  readonly windows: TimeWindow[];
}

/**
 * This machine, which is not always in the same state: the processors of a virtual one are shared, and
 * another on the same core makes them half as fast for a tenth of a second or several. The reference
 * model tells; what was measured in such a time is left out.
 */
export class Machine {
  readonly profiles: Profile[] = [];
  private readonly references = new Map<number, number[]>();

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

  /** What the profiles have in common, as a server plans once one finds the machine in its best state. */
  settled(): Profile {
    const fastest = Math.min(...this.profiles.map(({ probeMs }) => probeMs ?? Infinity));
    const newest = this.profiles.findLast(
      ({ probeMs }) => (probeMs ?? Infinity) <= STEADY * fastest,
    );
    if (!newest) throw new Error('No profile was measured.');
    return settleProfiles(
      newest,
      this.profiles.filter((one) => one !== newest),
    );
  }

  /**
   * Measures until each has its windows or the time is over, in an order of their own each round, and
   * profiles between: what is predicted and what it is predicted from are to see the same machine,
   * which changes within minutes.
   */
  async measure(all: readonly Measured[], seed: number, seconds: number): Promise<void> {
    const random = seededRandom(seed);
    const start = performance.now();
    const end = start + 1000 * seconds;
    let nextProfile = start;
    for (let round = 0; round < MOST_ROUNDS && performance.now() < end; round++) {
      const wanted = all.filter((one) => this.counted(one).length < WINDOWS);
      for (const one of random.shuffle([...wanted])) {
        if (performance.now() > end) break;
        if (performance.now() > nextProfile && this.profiles.length < SETTLING_PROFILES) {
          await this.measureProfile();
          nextProfile += (1000 * seconds) / SETTLING_PROFILES;
        }
        const { empty, reference } = this;
        const { windows } = await measureTruth({ empty, reference, ...one.request });
        for (const { referenceMs } of windows) this.see(one.request.threads, referenceMs);
        one.windows.push(...windows);
      }
      if (wanted.length === 0) break;
    }
    while (this.profiles.length < SETTLING_PROFILES) await this.measureProfile();
    const windows = all.reduce((sum, one) => sum + one.windows.length, 0);
    const steady = all.reduce((sum, one) => sum + this.counted(one).length, 0);
    const without = all.filter((one) => this.counted(one).length === 0).length;
    this.note(
      `steady in ${((100 * steady) / windows).toFixed(0)} % of ${windows} windows; ${without} of ${all.length} pairs without one, judged by the nearest`,
    );
  }

  /**
   * The lower quartile over the windows that count; where none does, the one nearest to it. With two
   * threads a session takes twice its time for a second or more now and then, of which neither the
   * reference nor waiting tells. @param share another quantile than that
   */
  p50(one: Measured, share = 0.25): number {
    const counted = this.counted(one);
    const nearest = [...one.windows].sort((a, b) => a.referenceMs - b.referenceMs).slice(0, 1);
    const times = (counted.length > 0 ? counted : nearest).map(({ p50 }) => p50);
    times.sort((a, b) => a - b);
    return times[Math.floor(share * (times.length - 1))] ?? 0;
  }

  /** The windows of a steady machine, in which each thread had a processor. */
  counted({ request, windows }: Measured): TimeWindow[] {
    const seen = this.references.get(request.threads) ?? [];
    const best = seen[Math.floor(BEST_SHARE * seen.length)] ?? Infinity;
    return windows.filter(
      ({ referenceMs, waiting }) => referenceMs <= STEADY * best && waiting <= MOST_WAITING,
    );
  }

  private see(threads: number, referenceMs: number): void {
    const seen = [...(this.references.get(threads) ?? []), referenceMs];
    this.references.set(
      threads,
      seen.sort((a, b) => a - b),
    );
  }
}
