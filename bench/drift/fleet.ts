import { seededRandom } from '@espalier/dataset';
import { DriftWatch, FleetWatch, type DriftBets } from '@espalier/evidence';
import type { Seen } from './images.js';
import { DeviceStream, WINDOW_ITEMS } from './stream.js';

const WINDOW_DAYS = WINDOW_ITEMS / 86_400;
/** How long each device was watched before, the same in all runs. */
const BEFORE_MINUTES = 120;
/** Then so many more, and up to four, so that drift begins anywhere within a look of the fleet. */
const RUN_UP_MINUTES = 15;

/** What streams are made of, and held against. */
export interface Setting {
  readonly bets: DriftBets;
  readonly field: readonly (readonly Seen[])[];
}

/** Evidence that an alarm takes, in days. */
export interface Thresholds {
  readonly deviceDays: number;
  readonly fleetDays: number;
}

const FAMILY_DEVICES = 10_000;
/** At most one false alarm in so many days among all devices and the fleet, half the errors for each. */
const FAMILY_DAYS = 30;
export const FAMILY = {
  devices: FAMILY_DEVICES,
  deviceDays: 2 * FAMILY_DEVICES * FAMILY_DAYS,
  fleetDays: 2 * FAMILY_DAYS,
};

/** A device of a fleet: its own stream, and its own watch. */
class Device {
  constructor(
    private readonly id: string,
    readonly stream: DeviceStream,
    private readonly bets: DriftBets,
    private readonly watch: DriftWatch,
  ) {}

  /** Evidence of its own after the next minute, which the fleet sees as well. */
  minute(
    { field }: Setting,
    shares: readonly number[],
    fleet: FleetWatch,
    at: number,
  ): { readonly alarm: boolean; readonly evidenceDays: number } {
    const window = this.stream.window(field, shares);
    const counted = this.bets.count(window);
    const verdict = this.watch.takeCounted(window, counted, WINDOW_DAYS);
    if (verdict.judges) fleet.take(this.id, counted, verdict.itemsAsOne, at);
    return verdict;
  }
}

/** Minutes from the start of a drift that some devices have to the first alarm, within the family. */
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
    const watch = new DriftWatch(setting.bets, FAMILY.deviceDays);
    const stream = new DeviceStream(seededRandom(firstSeed + at));
    for (let minute = 0; minute < BEFORE_MINUTES; minute += 1) {
      watch.take(stream.window(setting.field, usual), WINDOW_DAYS);
    }
    return watch.state();
  });
  return Array.from({ length: asked.runs }, (_, run) => {
    const fleet = new FleetWatch(setting.bets);
    const all = states.map((state, at) => {
      const watch = DriftWatch.restore(setting.bets, FAMILY.deviceDays, state);
      const seed = firstSeed + 10_000 * (run + 1) + at;
      return new Device(`d-${at}`, new DeviceStream(seededRandom(seed)), setting.bets, watch);
    });
    const drifted = asked.drifted(run);
    for (let minute = 1 - RUN_UP_MINUTES - (run % 5); minute <= asked.minutes; minute += 1) {
      const at = minute * WINDOW_DAYS;
      let alarm = false;
      for (const [place, device] of all.entries()) {
        const shares = minute > 0 && place < drifting ? drifted : usual;
        alarm = device.minute(setting, shares, fleet, at).alarm || alarm;
      }
      alarm ||= fleet.verdict(at).evidenceDays >= FAMILY.fleetDays;
      if (alarm && minute > 0) return minute;
    }
    return Infinity;
  });
}

/** Alarms of a fleet in which nothing drifts, and the most evidence that there was. */
export function quietFleet(
  setting: Setting,
  asked: {
    readonly devices: number;
    readonly days: number;
    readonly asked: Thresholds;
    readonly shares: readonly number[];
    readonly firstSeed: number;
    readonly note: (line: string) => void;
  },
): { alarms: number; ofFleet: number; mostOfDevice: number; mostOfFleet: number } {
  const { devices, days, shares, firstSeed, note } = asked;
  const { deviceDays, fleetDays } = asked.asked;
  const fleet = new FleetWatch(setting.bets);
  const all = Array.from({ length: devices }, (_, at) => {
    const watch = new DriftWatch(setting.bets, deviceDays);
    const stream = new DeviceStream(seededRandom(firstSeed - at));
    return { device: new Device(`d-${at}`, stream, setting.bets, watch), isOn: false };
  });
  const found = { alarms: 0, ofFleet: 0, mostOfDevice: 0, mostOfFleet: 0 };
  let isOn = false;
  for (let minute = 1; minute <= days / WINDOW_DAYS; minute += 1) {
    const at = minute * WINDOW_DAYS;
    for (const one of all) {
      const { alarm, evidenceDays } = one.device.minute(setting, shares, fleet, at);
      if (alarm && !one.isOn) found.alarms += 1;
      one.isOn = alarm;
      found.mostOfDevice = Math.max(found.mostOfDevice, evidenceDays);
    }
    const { evidenceDays } = fleet.verdict(at);
    if (evidenceDays >= fleetDays && !isOn) found.ofFleet += 1;
    isOn = evidenceDays >= fleetDays;
    found.mostOfFleet = Math.max(found.mostOfFleet, evidenceDays);
    if (minute % 1440 === 0) note(`day ${minute / 1440}: ${JSON.stringify(found)}`);
  }
  return found;
}
