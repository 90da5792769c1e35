import { Dependence } from '../sketch/dependence.js';
import { CLASS_BUCKETS, type WindowSketch } from '../sketch/window-sketch.js';
import { countIn, eventsOf, FAMILIES, type DriftEvent, type Family } from './families.js';

/** By how much the odds of an event may have grown or shrunk for it to be looked for. */
const ODDS_RATIOS = [4, 2, 16, 0.5, 0.25];
/** Standard errors that the reference's own share may be off without that being drift. */
const REFERENCE_ERRORS = 2;
/** Items, each counted once for its run, that must be seen before there is a verdict. */
const LEAST_EFFECTIVE_ITEMS = 30;
/** How hang-together is known is forgotten by halves after so many items. */
const REMEMBERED_ITEMS = 2 ** 17;
/** Shares are kept from 0 and 1, where a bet would be on certainty. */
const SMALLEST_SHARE = 1e-4;
/** An alarm holds until the evidence is down to this share of what raised it. */
const RELEASE = Math.exp(-3);
/** Evidence beyond the alarm by this factor is not kept, so that an alarm ends when drift does. */
const MOST_OVER = Math.exp(3);

/** A bet that the share of an event has moved to another one: what each item adds to its evidence. */
interface Bet {
  readonly hit: number;
  readonly miss: number;
  readonly weight: number;
  /** The Shiryaev-Roberts sum, in days. */
  sum: number;
}

interface Watched {
  readonly family: Family;
  readonly event: DriftEvent;
  readonly bets: Bet[];
}

/** What a watch makes of a window. */
export interface DriftVerdict {
  /** Whether the alarm is on. */
  readonly alarm: boolean;
  /** What drifts the most, where the alarm is on. */
  readonly family: Family | null;
  /**
   * Evidence in days: on average it is at most the days that passed since the watch began, if nothing
   * drifts, and the alarm is raised where it reaches the days asked for.
   */
  readonly evidenceDays: number;
  /** Items that count as one, of classes and of brightness. */
  readonly itemsAsOne: { readonly outputs: number; readonly inputs: number };
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
 * exactly their length. A likelihood ratio to that power stays fair for any mixture within a run,
 * since it is convex in the run's share (Hoeffding 1963).
 *
 * State is some kilobytes and need not be kept over a restart: the sums begin anew, and stay valid.
 */
export class DriftWatch {
  readonly #watched: readonly Watched[];
  readonly #dependence = new Dependence();
  readonly #classes = new Float64Array(CLASS_BUCKETS);
  #alarm = false;

  /**
   * @param reference sketch of what the model was made for
   * @param daysPerFalseAlarm days of the stream from one false alarm to the next, at least
   */
  constructor(
    reference: WindowSketch,
    private readonly daysPerFalseAlarm: number,
  ) {
    const families = FAMILIES.map((family) => ({
      family,
      events: eventsOf(family, reference),
    })).filter(({ events }) => events.length > 0);
    this.#watched = families.flatMap(({ family, events }) => {
      const weight = 1 / (families.length * events.length * ODDS_RATIOS.length);
      return events.map((event) => ({ family, event, bets: betsOn(event, reference, weight) }));
    });
  }

  /** Takes the next window of the stream, which lasted so many days. */
  take(sketch: WindowSketch, days: number): DriftVerdict {
    this.#remember(sketch);
    const outputs = this.#dependence.classEffect(chanceOfEqual(this.#classes));
    const inputs = this.#dependence.levelEffect();
    if (days > 0 && this.#dependence.items >= LEAST_EFFECTIVE_ITEMS * Math.max(outputs, inputs)) {
      for (const { family, event, bets } of this.#watched) {
        const { hits, of } = countIn(sketch, event);
        const asOne = effectOn(family, outputs, inputs);
        for (const bet of bets) {
          const gain = (hits * bet.hit + (of - hits) * bet.miss) / asOne;
          const most = (this.daysPerFalseAlarm * MOST_OVER) / bet.weight;
          bet.sum = Math.min(most, (bet.sum + days) * Math.exp(gain));
        }
      }
    }
    return { ...this.#judge(), itemsAsOne: { outputs, inputs } };
  }

  #remember({ dependence, classes }: WindowSketch): void {
    this.#dependence.merge(dependence);
    for (const [bucket, count] of classes.entries()) {
      this.#classes[bucket] = (this.#classes[bucket] ?? 0) + count;
    }
    if (this.#dependence.items <= REMEMBERED_ITEMS) return;
    this.#dependence.merge(this.#dependence, -0.5);
    this.#classes.forEach((count, bucket) => (this.#classes[bucket] = count / 2));
  }

  #judge(): Omit<DriftVerdict, 'itemsAsOne'> {
    let evidenceDays = 0;
    const byFamily = new Map<Family, number>();
    for (const { family, bets } of this.#watched) {
      const own = bets.reduce((sum, bet) => sum + bet.weight * bet.sum, 0);
      byFamily.set(family, (byFamily.get(family) ?? 0) + own);
      evidenceDays += own;
    }
    this.#alarm = evidenceDays >= this.daysPerFalseAlarm * (this.#alarm ? RELEASE : 1);
    const [largest] = [...byFamily].sort(([, a], [, b]) => b - a);
    return {
      alarm: this.#alarm,
      family: this.#alarm ? (largest?.[0] ?? null) : null,
      evidenceDays,
    };
  }
}

/** Classes hang together as classes do, inputs as brightness does; confidence as either. */
function effectOn(family: Family, outputs: number, inputs: number): number {
  if (family === 'classes') return outputs;
  return family === 'confidence' ? Math.max(outputs, inputs) : inputs;
}

function betsOn(event: DriftEvent, reference: WindowSketch, weight: number): Bet[] {
  const { hits, of } = countIn(reference, event);
  return ODDS_RATIOS.map((ratio) => {
    const share = boundOf(hits / of, of, ratio > 1 ? 1 : -1);
    const other = (share * ratio) / (1 - share + share * ratio);
    return {
      hit: Math.log(other / share),
      miss: Math.log((1 - other) / (1 - share)),
      weight,
      sum: 0,
    };
  });
}

/** The share that a reference of so many items still speaks for, on one side (Wilson's score). */
function boundOf(share: number, of: number, side: 1 | -1): number {
  const z = REFERENCE_ERRORS;
  const middle = share + (z * z) / (2 * of);
  const spread = z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of));
  const bound = (middle + side * spread) / (1 + (z * z) / of);
  return Math.min(1 - SMALLEST_SHARE, Math.max(SMALLEST_SHARE, bound));
}

/** Chance that two items are of one class, if they have nothing to do with each other. */
function chanceOfEqual(counts: Float64Array): number {
  const total = Math.max(
    1,
    counts.reduce((sum, count) => sum + count, 0),
  );
  return counts.reduce((sum, count) => sum + (count / total) ** 2, 0);
}
