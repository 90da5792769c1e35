import type { WindowSketch } from '../sketch/window-sketch.js';
import { countAll, countIn, eventsOf, FAMILIES, type DriftEvent, type Family } from './families.js';

/** By how much the odds of an event may have grown or shrunk for it to be looked for. */
const ODDS_RATIOS = [4, 2, 16, 0.5, 0.25] as const;
/** Standard errors that the reference's own share may be off without that being drift. */
const REFERENCE_ERRORS = 2;
/** Shares are kept from 0 and 1, where a bet would be on certainty. */
const SMALLEST_SHARE = 1e-4;

/** How many items of a stream count as one: they come in runs. */
export interface ItemsAsOne {
  readonly outputs: number;
  readonly inputs: number;
}

export interface BetSettings {
  readonly oddsRatios?: readonly number[];
  readonly referenceErrors?: number;
}

/**
 * Every drift away from a reference that is looked for, a bet each: that the share of an event has
 * moved to another one. Shared by all streams held against that reference.
 */
export class DriftBets {
  readonly length: number;
  /** Of all bets together 1, shared evenly among families, then their events. */
  readonly weights: Float64Array;
  /** What each bet is about, by its place in {@link FAMILIES}. */
  readonly families: Uint8Array;
  /** That two items of the reference are of one class. */
  readonly chanceOfEqual: number;
  readonly #events: readonly DriftEvent[];
  /** On each event so many bets, one after the other. */
  readonly #betsOnOne: number;
  /** Of each bet: what an item in its event or outside adds to its evidence. */
  readonly #hit: Float64Array;
  readonly #miss: Float64Array;
  readonly #gains: Float64Array;

  private constructor(
    private readonly reference: WindowSketch,
    { oddsRatios = ODDS_RATIOS, referenceErrors = REFERENCE_ERRORS }: BetSettings,
  ) {
    const families = FAMILIES.map((family, at) => ({
      at,
      events: eventsOf(family, reference),
    })).filter(({ events }) => events.length > 0);
    this.#events = families.flatMap(({ events }) => events);
    this.#betsOnOne = oddsRatios.length;
    const bets = families.flatMap(({ at, events }) => {
      const weight = 1 / (families.length * events.length * oddsRatios.length);
      return events.flatMap((one) => {
        const { hits, of } = countIn(reference, one);
        return oddsRatios.map((ratio) => {
          const share = boundOf(hits / of, of, ratio > 1 ? 1 : -1, referenceErrors);
          const other = (share * ratio) / (1 - share + share * ratio);
          const [hit, miss] = [Math.log(other / share), Math.log((1 - other) / (1 - share))];
          return { at, weight, hit, miss };
        });
      });
    });
    this.length = bets.length;
    this.chanceOfEqual = chanceOfEqual(reference.classes.entries().map(([, count]) => count));
    this.weights = Float64Array.from(bets, ({ weight }) => weight);
    this.families = Uint8Array.from(bets, ({ at }) => at);
    this.#hit = Float64Array.from(bets, ({ hit }) => hit);
    this.#miss = Float64Array.from(bets, ({ miss }) => miss);
    this.#gains = new Float64Array(bets.length);
  }

  /** @param reference sketch of what the model was made for */
  static on(reference: WindowSketch, settings: BetSettings = {}): DriftBets {
    return new DriftBets(reference, settings);
  }

  /** The same events with other settings; what one counts the other can take. */
  with(settings: BetSettings): DriftBets {
    return new DriftBets(this.reference, settings);
  }

  /** Of each event how many items of a sketch are in it, and how many were counted: two numbers each. */
  count(sketch: WindowSketch): Float64Array {
    return countAll(sketch, this.#events);
  }

  /**
   * What a window adds to the logarithm of each bet's likelihood ratio. Each item counts as one over
   * the number that counts as one: a likelihood ratio to that power stays fair for any mixture within
   * a run, since it is convex in the run's share (Hoeffding 1963).
   * @returns numbers that hold until the next call
   */
  gains(counted: Float64Array, asOne: ItemsAsOne): Float64Array {
    const effects = FAMILIES.map((family) => effectOn(family, asOne));
    const [gains, hit, miss] = [this.#gains, this.#hit, this.#miss];
    const each = this.#betsOnOne;
    for (let from = 0; from < gains.length; from += each) {
      const place = (2 * from) / each;
      const perItem = 1 / (effects[this.families[from] ?? 0] ?? 1);
      const hits = (counted[place] ?? 0) * perItem;
      const misses = (counted[place + 1] ?? 0) * perItem - hits;
      for (let at = from; at < from + each; at += 1) {
        gains[at] = hits * (hit[at] ?? 0) + misses * (miss[at] ?? 0);
      }
    }
    return gains;
  }
}

/** Classes and brightness hang together as was measured of them; what else an item shows, as either. */
function effectOn(family: Family, { outputs, inputs }: ItemsAsOne): number {
  if (family === 'classes') return outputs;
  return family === 'brightness' ? inputs : Math.max(outputs, inputs);
}

/** The share that a reference of so many items still speaks for, on one side (Wilson's score). */
function boundOf(share: number, of: number, side: 1 | -1, z: number): number {
  const middle = share + (z * z) / (2 * of);
  const spread = z * Math.sqrt((share * (1 - share)) / of + (z * z) / (4 * of * of));
  const bound = (middle + side * spread) / (1 + (z * z) / of);
  return Math.min(1 - SMALLEST_SHARE, Math.max(SMALLEST_SHARE, bound));
}

/** Chance that two items are of one class, if they have nothing to do with each other. */
export function chanceOfEqual(counts: ArrayLike<number>): number {
  let total = 0;
  let squares = 0;
  for (let at = 0; at < counts.length; at += 1) {
    const count = counts[at] ?? 0;
    total += count;
    squares += count * count;
  }
  return squares / Math.max(1, total * total);
}
