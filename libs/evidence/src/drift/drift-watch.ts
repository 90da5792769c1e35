import { EvidenceError } from '../errors.js';
import { Dependence } from '../sketch/dependence.js';
import { CLASS_BUCKETS, type WindowSketch } from '../sketch/window-sketch.js';
import { chanceOfEqual, type DriftBets, type ItemsAsOne } from './bets.js';
import { FamilySums, type Family } from './families.js';

/** Items, each counted once for its run, that must be seen before there is a verdict. */
const LEAST_EFFECTIVE_ITEMS = 30;
/** From so many on, correlations that are lost in noise add up to little. */
const KNOWN_ITEMS = 2 ** 13;
/** How hang-together is known is forgotten by halves after so many items. */
const REMEMBERED_ITEMS = 2 ** 17;
/** An alarm holds until the evidence is down to this share of what raised it. */
const RELEASE = Math.exp(-3);
/** Evidence beyond the alarm by this factor is not kept, so that an alarm ends when drift does. */
const MOST_OVER = Math.exp(3);

/** What a watch makes of a window. */
export interface DriftVerdict {
  /** Whether the alarm is on. */
  readonly alarm: boolean;
  /** What most of the evidence is of; null while there is none. */
  readonly family: Family | null;
  /**
   * Evidence in days: on average it is at most the days that passed since the watch began, if nothing
   * drifts, and the alarm is raised where it reaches the days asked for.
   */
  readonly evidenceDays: number;
  readonly itemsAsOne: ItemsAsOne;
  /** Whether enough was seen to judge at all. */
  readonly judges: boolean;
}

/**
 * Watches one stream for drift against a reference, window by window, with at most one false alarm in
 * the days asked for on average. Each possible drift is a bet; its evidence is a Shiryaev-Roberts sum
 * of likelihood ratios, which without drift grows on average no faster than time itself, and so does
 * their weighed mean: an e-detector (Shin, Ramdas and Rinaldo 2023, "E-detectors", arXiv 2203.03532).
 * For a whole fleet divide the days: one false alarm a day among 10,000 devices is 10,000 days each.
 *
 * Items that come in runs are not so many witnesses. Each counts as one over the number of items that
 * count as one, which follows from the stream's autocorrelation; with runs of equal length that is
 * exactly their length.
 *
 * Its {@link state} is some kilobytes, the same however long it watches.
 */
export class DriftWatch {
  readonly #dependence = new Dependence();
  readonly #classes = new Float64Array(CLASS_BUCKETS);
  /** The Shiryaev-Roberts sum of each bet, in days. */
  readonly #sums: Float32Array;
  #alarm = false;

  /** @param daysPerFalseAlarm days of the stream from one false alarm to the next, at least */
  constructor(
    private readonly bets: DriftBets,
    private readonly daysPerFalseAlarm: number,
  ) {
    this.#sums = new Float32Array(bets.length);
  }

  /**
   * Goes on from what {@link state} gave.
   * @throws EvidenceError SKETCH_INVALID when that is of other bets, or no state
   */
  static restore(bets: DriftBets, daysPerFalseAlarm: number, state: string): DriftWatch {
    const watch = new DriftWatch(bets, daysPerFalseAlarm);
    const bytes = Buffer.from(state, 'base64');
    const wide = [...watch.#dependence.sums(), watch.#classes];
    const length =
      1 + watch.#sums.byteLength + wide.reduce((sum, part) => sum + part.byteLength, 0);
    if (bytes.length !== length) {
      throw new EvidenceError('SKETCH_INVALID', 'The state of a watch is not of these bets.');
    }
    watch.#alarm = bytes[0] === 1;
    let at = 1;
    for (let bet = 0; bet < watch.#sums.length; bet += 1, at += 4) {
      watch.#sums[bet] = bytes.readFloatLE(at);
    }
    const restored = wide.map((part) => part.map(() => bytes.readDoubleLE((at += 8) - 8)));
    watch.#dependence.restore(restored);
    watch.#classes.set(restored.at(-1) ?? []);
    return watch;
  }

  /** All that the watch knows of its stream, as base64. */
  state(): string {
    const wide = [...this.#dependence.sums(), this.#classes];
    const size = wide.reduce((sum, part) => sum + part.byteLength, 0);
    const bytes = Buffer.alloc(1 + this.#sums.byteLength + size);
    bytes[0] = this.#alarm ? 1 : 0;
    let at = 1;
    for (const sum of this.#sums) at = bytes.writeFloatLE(sum, at);
    for (const part of wide) for (const value of part) at = bytes.writeDoubleLE(value, at);
    return bytes.toString('base64');
  }

  /** Takes the next window of the stream, which lasted so many days. */
  take(sketch: WindowSketch, days: number): DriftVerdict {
    return this.takeCounted(sketch, this.bets.count(sketch), days);
  }

  /** {@link take} where the window was counted already. */
  takeCounted(sketch: WindowSketch, counted: Float64Array, days: number): DriftVerdict {
    this.#remember(sketch);
    const itemsAsOne = this.#itemsAsOne();
    // A stream that shows one class so far, well recognised or not, may be in a single run; the
    // reference knows of others.
    const most = Math.max(
      this.#dependence.mostClassEffect(this.bets.chanceOfEqual),
      ...Object.values(itemsAsOne),
    );
    const judges = days > 0 && this.#dependence.items >= LEAST_EFFECTIVE_ITEMS * most;
    if (judges) {
      const gains = this.bets.gains(counted, itemsAsOne);
      const [sums, { weights }] = [this.#sums, this.bets];
      const kept = this.daysPerFalseAlarm * MOST_OVER;
      for (let at = 0; at < gains.length; at += 1) {
        const weight = weights[at] ?? 1;
        const grown = ((sums[at] ?? 0) + days) * Math.exp(gains[at] ?? 0);
        sums[at] = weight * grown < kept ? grown : kept / weight;
      }
    }
    return { ...this.#judge(), itemsAsOne, judges };
  }

  /** Until a stream is known, its brightness may hang together as its classes do. */
  #itemsAsOne(): ItemsAsOne {
    const outputs = this.#dependence.classEffect(chanceOfEqual(this.#classes));
    const inputs = this.#dependence.levelEffect();
    const known = this.#dependence.items >= KNOWN_ITEMS;
    return { outputs, inputs: known ? inputs : Math.max(outputs, inputs) };
  }

  #remember({ dependence, classes }: WindowSketch): void {
    this.#dependence.merge(dependence);
    classes.forEach((bucket, count) => {
      this.#classes[bucket] = (this.#classes[bucket] ?? 0) + count;
    });
    if (this.#dependence.items <= REMEMBERED_ITEMS) return;
    this.#dependence.merge(this.#dependence, -0.5);
    this.#classes.forEach((count, bucket) => (this.#classes[bucket] = count / 2));
  }

  #judge(): Pick<DriftVerdict, 'alarm' | 'family' | 'evidenceDays'> {
    const byFamily = new FamilySums();
    const [sums, { families, weights }] = [this.#sums, this.bets];
    for (let at = 0; at < sums.length; at += 1) {
      byFamily.add(families[at] ?? 0, (weights[at] ?? 0) * (sums[at] ?? 0));
    }
    const evidenceDays = byFamily.total;
    this.#alarm = evidenceDays >= this.daysPerFalseAlarm * (this.#alarm ? RELEASE : 1);
    return { alarm: this.#alarm, family: byFamily.largest, evidenceDays };
  }
}
