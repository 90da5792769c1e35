import { seededRandom } from '@espalier/dataset';
import { DriftWatch, FleetWatch, type DriftBets, type DriftVerdict } from '@espalier/evidence';
import { DeviceStream, WINDOW_DAYS, type Deck } from './stream.js';

/** How long each device was watched before, the same in all runs. */
const BEFORE_MINUTES = 120;
/** Then so many more, and up to four, so that drift begins anywhere within a look of the fleet. */
const RUN_UP_MINUTES = 15;

/** What streams are made of, and held against. */
export interface Setting {
  readonly bets: DriftBets;
  readonly field: readonly Deck[];
}

const FAMILY_DEVICES = 10_000;
/** At most one false alarm in so many days among all devices and the fleet, half the errors for each. */
const FAMILY_DAYS = 30;
/** The family, and the evidence in days that raises an alarm in it. */
export const FAMILY = {
  devices: FAMILY_DEVICES,
  /** Of these a server watches so many together. */
  together: 2_000,
  deviceDays: 2 * FAMILY_DEVICES * FAMILY_DAYS,
  fleetDays: 2 * FAMILY_DAYS,
};

/** A device: its own stream, and its own watch. */
export class Device {
  readonly #stream: DeviceStream;

  constructor(
    private readonly id: string,
    private readonly setting: Setting,
    seed: number,
    private readonly watch = new DriftWatch(setting.bets, FAMILY.deviceDays),
  ) {
    this.#stream = new DeviceStream(setting.bets, seededRandom(seed));
  }

  /** What its own watch says after the next minute, which the fleet it is in sees as well. */
  minute(shares: readonly number[], fleet: FleetWatch | null, at: number): DriftVerdict {
    const { sketch, counted } = this.#stream.minute(this.setting.field, shares);
    const verdict = this.watch.takeCounted(sketch, counted, WINDOW_DAYS);
    if (verdict.judges) fleet?.take(this.id, counted, verdict.itemsAsOne, at);
    return verdict;
  }

  state(): string {
    return this.watch.state();
  }
}

/**
 * Minutes from the start of a drift that some devices have to the first alarm within the family, of each
 * run; infinite when there was none, or before.
 */
export function fleetDelays(
  setting: Setting,
  { devices, drifting }: { readonly devices: number; readonly drifting: number },
  asked: {
    readonly runs: number;
    readonly minutes: number;
    readonly firstSeed: number;
    readonly usual: readonly number[];
    readonly drifted: (run: number) => readonly number[];
  },
): number[] {
  const { usual, firstSeed } = asked;
  const states = Array.from({ length: devices }, (_, at) => {
    const device = new Device(`d-${at}`, setting, firstSeed + at);
    for (let minute = 0; minute < BEFORE_MINUTES; minute += 1) device.minute(usual, null, 0);
    return device.state();
  });
  return Array.from({ length: asked.runs }, (_, run) => {
    const fleet = new FleetWatch(setting.bets);
    const all = states.map((state, at) => {
      const watch = DriftWatch.restore(setting.bets, FAMILY.deviceDays, state);
      return new Device(`d-${at}`, setting, firstSeed + 10_000 * (run + 1) + at, watch);
    });
    const drifted = asked.drifted(run);
    for (let minute = 1 - RUN_UP_MINUTES - (run % 5); minute <= asked.minutes; minute += 1) {
      const at = minute * WINDOW_DAYS;
      let alarm = false;
      for (const [place, device] of all.entries()) {
        const shares = minute > 0 && place < drifting ? drifted : usual;
        alarm = device.minute(shares, fleet, at).alarm || alarm;
      }
      alarm ||= fleet.verdict(at).evidenceDays >= FAMILY.fleetDays;
      if (alarm) return minute > 0 ? minute : Infinity;
    }
    return Infinity;
  });
}
