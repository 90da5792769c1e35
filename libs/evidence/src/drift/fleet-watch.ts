import type { DriftBets, ItemsAsOne } from './bets.js';
import { FamilySums, type Family } from './families.js';

const MINUTE_DAYS = 1 / 1440;
/** A new look begins each so many days, and ends after so many times that. */
const LOOK_EVERY_DAYS = 5 * MINUTE_DAYS;
const LOOKS = 4;
/** Shares of the devices that may drift together. */
const SHARES = [0.02, 0.1, 0.3, 1];
/** Devices of a look; those that come later are left to their own watches. */
const MOST_DEVICES = 2_000;
/**
 * What a pool adds up is as sure as its reference is: where many devices are watched, each of some
 * fifty events on both sides must be within its bound, at a total error of a percent or two.
 */
const SETTINGS = { oddsRatios: [4, 2, 0.5], referenceErrors: 3.5 };
/** Largest logarithm of evidence, and the most days, that are told. */
const MOST_LOG = 600;
const MOST_DAYS = 10_000_000;
/** A device's likelihood ratio is followed up to here; one that is taken for less stays fair. */
const MOST_RATIO = 1e30;
/** Products are kept within this of 1, and what is beyond as a logarithm. */
const MOST_FACTOR = 1e30;

/** What a fleet's devices show together. */
export interface FleetVerdict {
  /** In days, as that of a single watch: without drift on average at most the days watched. */
  readonly evidenceDays: number;
  /** What most of the evidence is of; null while there is none. */
  readonly family: Family | null;
  /** Share of the devices that most of the evidence speaks for; null while there is none. */
  readonly share: number | null;
  /** Devices of the look that has seen the most. */
  readonly devices: number;
}

interface Look {
  readonly since: number;
  /** Of each device every bet's likelihood ratio since the look began. */
  readonly ratios: Map<string, Float32Array>;
  /** Products over devices, bet by bet, share by share: a logarithm and a factor each. */
  readonly logs: Float64Array;
  readonly factors: Float64Array;
}

/**
 * Watches all devices of a variant for a drift that many have at once, as of a season or of a way of
 * mounting, which each for itself shows too slowly. For each bet and each share of the fleet that may
 * have it, the evidence is the product over devices of 1 - share + share × the device's likelihood
 * ratio: nobody says which devices drift, and those that do not cost little (the mixture of Xie and
 * Siegmund 2013, "Sequential multi-sensor change-point detection", Ann. Statist. 41, 670). Without
 * drift each factor's mean is at most 1, and devices are independent of each other, so the product is
 * an e-process. One begins every five minutes and ends after twenty; each, times the days to the next,
 * adds up to an e-detector, as {@link DriftWatch} does within a device.
 *
 * Keeps nothing over a restart: the looks begin anew, which takes minutes of evidence, not validity.
 */
export class FleetWatch {
  readonly #bets: DriftBets;
  readonly #growth: Float64Array;
  #looks: Look[] = [];

  /** @param bets those of the variant's devices, whose counts it takes */
  constructor(bets: DriftBets) {
    this.#bets = bets.with(SETTINGS);
    this.#growth = new Float64Array(this.#bets.length);
  }

  /**
   * Takes a window of a device, counted by its bets.
   * @param at now, in days by one clock for all devices @param asOne what the device's own watch says
   */
  take(deviceId: string, counted: Float64Array, asOne: ItemsAsOne, at: number): void {
    this.#advance(at);
    const gains = this.#bets.gains(counted, asOne);
    for (let bet = 0; bet < gains.length; bet += 1) {
      this.#growth[bet] = Math.min(MOST_RATIO, Math.exp(gains[bet] ?? 0));
    }
    for (const look of this.#looks) {
      const ratios = ratiosOf(look, deviceId, gains.length);
      if (ratios) grow(look, ratios, gains, this.#growth);
    }
  }

  /** What was found until now, in days by the clock of {@link take}. */
  verdict(at: number): FleetVerdict {
    this.#advance(at);
    const byFamily = new FamilySums();
    const byShare = SHARES.map(() => 0);
    for (const { logs, factors } of this.#looks) {
      for (let bet = 0; bet < this.#bets.length; bet += 1) {
        const weight = this.#bets.weights[bet] ?? 0;
        for (let share = 0; share < SHARES.length; share += 1) {
          const place = bet * SHARES.length + share;
          const product = Math.exp(Math.min(MOST_LOG, logs[place] ?? 0)) * (factors[place] ?? 1);
          const own = (LOOK_EVERY_DAYS * weight * product) / SHARES.length;
          byFamily.add(this.#bets.families[bet] ?? 0, own);
          byShare[share] = (byShare[share] ?? 0) + own;
        }
      }
    }
    const most = byShare.indexOf(Math.max(...byShare));
    return {
      evidenceDays: Math.min(MOST_DAYS, byFamily.total),
      family: byFamily.largest,
      share: byFamily.total > 0 ? (SHARES[most] ?? null) : null,
      devices: Math.max(0, ...this.#looks.map(({ ratios }) => ratios.size)),
    };
  }

  /** Begins the look that is due, and ends those that are old. */
  #advance(at: number): void {
    this.#looks = this.#looks.filter(({ since }) => at - since < LOOKS * LOOK_EVERY_DAYS);
    const last = this.#looks.at(-1);
    if (last && at - last.since < LOOK_EVERY_DAYS) return;
    const products = this.#bets.length * SHARES.length;
    this.#looks.push({
      since: at,
      ratios: new Map(),
      logs: new Float64Array(products),
      factors: new Float64Array(products).fill(1),
    });
  }
}

/** A device's likelihood ratios; undefined: the look has devices enough. */
function ratiosOf({ ratios }: Look, deviceId: string, bets: number): Float32Array | undefined {
  const known = ratios.get(deviceId);
  if (known || ratios.size >= MOST_DEVICES) return known;
  const fresh = new Float32Array(bets).fill(1);
  ratios.set(deviceId, fresh);
  return fresh;
}

/** Takes a device's likelihood ratios forward, and the products with them. */
function grow(
  { logs, factors }: Look,
  ratios: Float32Array,
  gains: Float64Array,
  growth: Float64Array,
): void {
  for (let bet = 0; bet < gains.length; bet += 1) {
    const before = ratios[bet] ?? 1;
    ratios[bet] = Math.min(MOST_RATIO, before * (growth[bet] ?? 1));
    const after = ratios[bet] ?? 1;
    for (let share = 0; share < SHARES.length; share += 1) {
      const place = bet * SHARES.length + share;
      const weight = SHARES[share] ?? 0;
      if (weight === 1) {
        logs[place] = (logs[place] ?? 0) + (gains[bet] ?? 0);
        continue;
      }
      const grown = (1 + weight * (after - 1)) / (1 + weight * (before - 1));
      const factor = (factors[place] ?? 1) * grown;
      const isKept = factor < MOST_FACTOR && factor > 1 / MOST_FACTOR;
      factors[place] = isKept ? factor : 1;
      if (!isKept) logs[place] = (logs[place] ?? 0) + Math.log(factor);
    }
  }
}
