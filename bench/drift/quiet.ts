import { FleetWatch } from '@espalier/evidence';
import { Device, FAMILY, type Setting } from './fleet.js';
import { WINDOW_DAYS } from './stream.js';

const MINUTES_A_DAY = 1 / WINDOW_DAYS;
/** An alarm is over when its evidence is down to this share of what raised it, as that of a watch. */
const RELEASE = Math.exp(-3);
const NOTED_EVERY = 1_000;

/** Counts alarms: how often evidence reached the days that were asked for. */
class Alarms {
  raised = 0;
  /** The most evidence that there was. */
  most = 0;
  #isOn = false;

  constructor(private readonly days: number) {}

  see(evidenceDays: number): void {
    this.most = Math.max(this.most, evidenceDays);
    const isOn = evidenceDays >= this.days * (this.#isOn ? RELEASE : 1);
    if (isOn && !this.#isOn) this.raised += 1;
    this.#isOn = isOn;
  }
}

/** Alarms where nothing drifts. */
export interface Quiet {
  /** Of devices, at the days of evidence that one device by itself is asked for. */
  alone: number;
  /** Of devices, at what the family is asked for. */
  inFamily: number;
  ofFleet: number;
  mostOfDevice: number;
  mostOfFleet: number;
}

/**
 * Streams in which nothing drifts, from their first minute: each device with a watch of its own, the
 * first of them watched together as well.
 */
export function quiet(
  setting: Setting,
  asked: {
    readonly devices: number;
    readonly days: number;
    readonly daysAlone: number;
    readonly shares: readonly number[];
    readonly firstSeed: number;
    readonly note: (line: string) => void;
  },
): Quiet {
  const { devices, days, daysAlone, shares, firstSeed, note } = asked;
  const minutes = Math.round(days * MINUTES_A_DAY);
  const found: Quiet = {
    ...{ alone: 0, inFamily: 0, ofFleet: 0, mostOfDevice: 0, mostOfFleet: 0 },
  };
  const watched = (at: number): Watched => new Watched(setting, firstSeed - at, daysAlone);
  const add = (one: Watched): void => {
    found.alone += one.alone.raised;
    found.inFamily += one.inFamily.raised;
    found.mostOfDevice = Math.max(found.mostOfDevice, one.alone.most);
  };
  const together = Math.min(devices, FAMILY.together);
  const members = Array.from({ length: together }, (_, at) => watched(at));
  const [fleet, ofFleet] = [new FleetWatch(setting.bets), new Alarms(FAMILY.fleetDays)];
  for (let minute = 1; minute <= minutes; minute += 1) {
    const at = minute * WINDOW_DAYS;
    for (const one of members) one.minute(shares, fleet, at);
    ofFleet.see(fleet.verdict(at).evidenceDays);
  }
  for (const one of members) add(one);
  [found.ofFleet, found.mostOfFleet] = [ofFleet.raised, ofFleet.most];
  for (let at = together; at < devices; at += 1) {
    const one = watched(at);
    for (let minute = 1; minute <= minutes; minute += 1) one.minute(shares, null, 0);
    add(one);
    if (at % NOTED_EVERY === 0) note(`${at} of ${devices}: ${JSON.stringify(found)}`);
  }
  return found;
}

/** A device, and the alarms that it raises. */
class Watched {
  readonly alone: Alarms;
  readonly inFamily = new Alarms(FAMILY.deviceDays);
  readonly #device: Device;

  constructor(setting: Setting, seed: number, daysAlone: number) {
    this.alone = new Alarms(daysAlone);
    this.#device = new Device(`d-${seed}`, setting, seed);
  }

  minute(shares: readonly number[], fleet: FleetWatch | null, at: number): void {
    const { evidenceDays } = this.#device.minute(shares, fleet, at);
    this.alone.see(evidenceDays);
    this.inFamily.see(evidenceDays);
  }
}
