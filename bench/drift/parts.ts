import { seededRandom } from '@espalier/dataset';
import { DriftBets, DriftWatch, StreamMemory, WindowSketch } from '@espalier/evidence';
import { mostThatAnyTestDetects } from './attainable.js';
import { FAMILY, fleetDelays, type Setting } from './fleet.js';
import type { Images } from './images.js';
import { quiet } from './quiet.js';
import {
  classShares,
  decksOf,
  DeviceStream,
  RUN_LENGTH,
  WINDOW_DAYS,
  WINDOW_ITEMS,
  type Deck,
} from './stream.js';

const FIRST_SEED = 30_000;
const CLASSES = 10;
const TRIPLED = 3;
const RUNS = 100;
/** Asked: at most one false alarm in so many days of a device. */
const DAYS_PER_FALSE_ALARM = 100;
/** A stream runs so long before it drifts. */
const BEFORE_MINUTES = 360;
/** Detected means within so many minutes of the stream's time. */
const WITHIN_MINUTES = 10;
/** How long an alarm is waited for, so that late ones are told. */
const WATCHED_MINUTES = 240;
/** Days of each of a few long streams without drift; those of the family are short, and many. */
const QUIET_DAYS = 10;
/** The large fleet, of which a share drifts, and small ones, of which all do. */
const FLEET = 200;
const SMALL_FLEETS = [10, 20, 30, 50, FLEET];
const SHARES = [0.05, 0.1, 0.2, 0.3, 0.4, 0.5];

/** What can be measured by itself. */
export const PARTS = ['devices', 'shares', 'fleets', 'quiet', 'family'] as const;
export type Part = (typeof PARTS)[number];

/** Beside the images, which streams to make. */
export interface Asked {
  /** Device-days of the long streams without drift. */
  readonly days: number;
  /** How long each of the family's streams is. */
  readonly hours: number;
}

/** What a part counts. */
export interface Found {
  readonly runs: number;
  readonly detected: number;
  readonly deviceDays: number;
  readonly falseAlarms: number;
}

type Note = (line: string) => void;
const inTime = (delay: number): boolean => delay <= WITHIN_MINUTES;

/** Measures one part. */
export function measure(part: Part, images: Images, asked: Asked, note: Note): Found {
  const bets = DriftBets.on(sketchOf(images.calibration));
  const setting = { bets, field: decksOf(bets, images.field) };
  const fleet = (of: number, drifting: number): number[] => fleetOf(setting, of, drifting, note);
  switch (part) {
    case 'devices':
      return drifted(devices(setting, decksOf(bets, images.dark), note));
    case 'shares':
      for (const share of SHARES) fleet(FLEET, Math.round(share * FLEET));
      return NOTHING;
    case 'fleets':
      return drifted(SMALL_FLEETS.map((size) => fleet(size, size)).at(-1) ?? []);
    case 'quiet':
      return undrifted(setting, Math.ceil(asked.days / QUIET_DAYS), QUIET_DAYS, note);
    case 'family':
      return undrifted(setting, FAMILY.devices, asked.hours / 24, note);
  }
}

const NOTHING: Found = { runs: 0, detected: 0, deviceDays: 0, falseAlarms: 0 };
const drifted = (delays: readonly number[]): Found => ({
  ...NOTHING,
  ...{ runs: delays.length, detected: delays.filter(inTime).length },
});

interface World {
  readonly images: readonly Deck[];
  readonly shares: readonly number[];
}

/** Drifts of one device. @returns the minutes to the alarm of those that are counted */
function devices(setting: Setting, dark: World['images'], note: Note): number[] {
  const bound = mostThatAnyTestDetects({
    share: 1 / CLASSES,
    factor: TRIPLED,
    runs: (WITHIN_MINUTES * WINDOW_ITEMS) / RUN_LENGTH,
    runsPerFalseAlarm: (DAYS_PER_FALSE_ALARM * 86_400) / RUN_LENGTH,
  });
  note(`no test of one device can detect a tripled class in more than ${bound.toFixed(3)} of runs`);
  const atNight = (): World => ({ images: dark, shares: classShares(CLASSES) });
  const brightness = delays(setting, DAYS_PER_FALSE_ALARM, atNight);
  note(`brightness halved: ${told(brightness)}`);
  const strict = delays(setting, FAMILY.deviceDays, atNight);
  note(`the same within the family of ${FAMILY.devices} devices: ${told(strict)}`);
  const tripled = delays(setting, DAYS_PER_FALSE_ALARM, (run) => ({
    images: setting.field,
    shares: classShares(CLASSES, run % CLASSES, TRIPLED),
  }));
  note(`a class tripled on one device: ${told(tripled)}`);
  return [...strict, ...tripled];
}

/** Minutes to the alarm where a class is tripled on some devices of a fleet. */
function fleetOf(setting: Setting, fleet: number, drifting: number, note: Note): number[] {
  const found = fleetDelays(
    setting,
    { devices: fleet, drifting },
    {
      ...{ runs: RUNS, minutes: 3 * WITHIN_MINUTES, firstSeed: FIRST_SEED },
      usual: classShares(CLASSES),
      drifted: (run) => classShares(CLASSES, run % CLASSES, TRIPLED),
    },
  );
  const missed = found.flatMap((delay, run) => (inTime(delay) ? [] : [run % CLASSES]));
  note(
    `a class tripled on ${drifting} of ${fleet} devices: ${told(found)}; missed: ${missed.join(' ')}`,
  );
  return found;
}

/** Streams that do not drift. */
function undrifted(setting: Setting, devices: number, days: number, note: Note): Found {
  const found = quiet(setting, {
    ...{ devices, days, daysAlone: DAYS_PER_FALSE_ALARM },
    ...{ shares: classShares(CLASSES), firstSeed: FIRST_SEED - 1 },
    note,
  });
  const { alone, inFamily, ofFleet, mostOfDevice, mostOfFleet } = found;
  const deviceDays = devices * days;
  note(
    `${deviceDays} device-days without drift: ${alone} alarms of devices at ${DAYS_PER_FALSE_ALARM} days of evidence, ` +
      `${inFamily} at the family's ${FAMILY.deviceDays}, ${ofFleet} of the fleet at ${FAMILY.fleetDays}; ` +
      `most evidence of a device ${mostOfDevice.toFixed(1)} days, of the fleet ${mostOfFleet.toFixed(3)}`,
  );
  return { ...NOTHING, deviceDays, falseAlarms: alone + ofFleet };
}

function told(found: readonly number[]): string {
  const sorted = [...found].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return `${found.filter(inTime).length} of ${found.length} within ${WITHIN_MINUTES} minutes, half of them within ${at(0.5)}, 95 % within ${at(0.95)}`;
}

/** Minutes from the start of the drift to the alarm, of each run; infinite when there was none, or before. */
function delays(
  { bets, field }: Setting,
  daysPerFalseAlarm: number,
  drift: (run: number) => World,
): number[] {
  return Array.from({ length: RUNS }, (_, run) => {
    const watch = new DriftWatch(bets, daysPerFalseAlarm);
    const stream = new DeviceStream(bets, seededRandom(FIRST_SEED + 1000 * run));
    const before = { images: field, shares: classShares(CLASSES) };
    const after = drift(run);
    for (let minute = 1; minute <= BEFORE_MINUTES + WATCHED_MINUTES; minute += 1) {
      const { images, shares } = minute <= BEFORE_MINUTES ? before : after;
      const { sketch, counted } = stream.minute(images, shares);
      const { alarm } = watch.takeCounted(sketch, counted, WINDOW_DAYS);
      if (alarm) return minute > BEFORE_MINUTES ? minute - BEFORE_MINUTES : Infinity;
    }
    return Infinity;
  });
}

function sketchOf(images: Images['calibration']): WindowSketch {
  const sketch = new WindowSketch();
  const memory = new StreamMemory();
  for (const { input, output } of images) sketch.add(input, output, memory);
  return sketch;
}
