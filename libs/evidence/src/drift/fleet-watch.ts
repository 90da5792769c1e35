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
/** Largest logarithm of evidence that is kept, and the most that is told. */
const MOST_LOG = 600;
const MOST_DAYS = 10_000_000;

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

interface Device {
  /** Logarithm of each bet's likelihood ratio since the look began. */
  readonly logRatios: Float32Array;
}

interface Look {
  readonly since: number;
  readonly devices: Map<string, Device>;
  /** Logarithm of each product over devices: bet by bet, share by share. */
  readonly products: Float64Array;
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
  #looks: Look[] = [];

  /** @param bets those of the variant's devices, whose counts it takes */
  constructor(bets: DriftBets) {
    this.#bets = bets.with(SETTINGS);
  }

  /**
   * Takes a window of a device, counted by its bets.
   * @param at now, in days by one clock for all devices @param asOne what the device's own watch says
   */
  take(deviceId: string, counted: Float64Array, asOne: ItemsAsOne, at: number): void {
    this.#advance(at);
    const gains = this.#bets.gains(counted, asOne);
    for (const { devices, products } of this.#looks) {
      const device = devices.get(deviceId) ?? { logRatios: new Float32Array(gains.length) };
      if (!devices.has(deviceId)) {
        if (devices.size >= MOST_DEVICES) continue;
        devices.set(deviceId, device);
      }
      const { logRatios } = device;
      for (let bet = 0; bet < gains.length; bet += 1) {
        const before = logRatios[bet] ?? 0;
        logRatios[bet] = Math.min(MOST_LOG, before + (gains[bet] ?? 0));
        const after = logRatios[bet] ?? 0;
        const [was, is] = [Math.expm1(before), Math.expm1(after)];
        for (let share = 0; share < SHARES.length; share += 1) {
          const place = bet * SHARES.length + share;
          const weight = SHARES[share] ?? 0;
          const grown =
            weight === 1 ? after - before : Math.log((1 + weight * is) / (1 + weight * was));
          products[place] = (products[place] ?? 0) + grown;
        }
      }
    }
  }

  /** What was found until now, in days by the clock of {@link take}. */
  verdict(at: number): FleetVerdict {
    this.#advance(at);
    const byFamily = new FamilySums();
    const byShare = SHARES.map(() => 0);
    for (const { products } of this.#looks) {
      for (let bet = 0; bet < this.#bets.length; bet += 1) {
        const weight = this.#bets.weights[bet] ?? 0;
        for (let share = 0; share < SHARES.length; share += 1) {
          const log = products[bet * SHARES.length + share] ?? 0;
          const own =
            (LOOK_EVERY_DAYS * weight * Math.exp(Math.min(MOST_LOG, log))) / SHARES.length;
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
      devices: Math.max(0, ...this.#looks.map(({ devices }) => devices.size)),
    };
  }

  /** Begins the look that is due, and ends those that are old. */
  #advance(at: number): void {
    this.#looks = this.#looks.filter(({ since }) => at - since < LOOKS * LOOK_EVERY_DAYS);
    const last = this.#looks.at(-1);
    if (last && at - last.since < LOOK_EVERY_DAYS) return;
    this.#looks.push({
      since: at,
      devices: new Map(),
      products: new Float64Array(this.#bets.length * SHARES.length),
    });
  }
}
