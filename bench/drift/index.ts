import { seededRandom } from '@espalier/dataset';
import { DriftBets, DriftWatch, StreamMemory, WindowSketch } from '@espalier/evidence';
import { z } from 'zod';
import { BenchError, type Benchmark } from '../benchmark.js';
import { mostThatAnyTestDetects } from './attainable.js';
import { FAMILY, fleetDelays, quietFleet, type Setting, type Thresholds } from './fleet.js';
import { seeImages, type Images, type Seen } from './images.js';
import { byLabel, classShares, DeviceStream, RUN_LENGTH, WINDOW_ITEMS } from './stream.js';

const FIRST_SEED = 30_000;
const CLASSES = 10;
const TRIPLED = 3;
const RUNS = 100;
const WINDOW_DAYS = WINDOW_ITEMS / 86_400;
/** Asked: at most one false alarm in so many days of a device. */
const DAYS_PER_FALSE_ALARM = 100;
/** A stream runs so long before it drifts. */
const BEFORE_MINUTES = 360;
/** Detected means within so many minutes of the stream's time. */
const WITHIN_MINUTES = 10;
/** How long an alarm is waited for, so that late ones are told. */
const WATCHED_MINUTES = 240;
/** Days of each stream without drift. */
const QUIET_DAYS = 10;
/** The large fleet, of which a share drifts, and small ones, of which all do. */
const FLEET = 200;
const SMALL_FLEETS = [10, 20, 30, 50, FLEET];
const PARTS = ['all', 'devices', 'shares', 'fleets', 'quiet'];

const documentSchema = z.strictObject({
  /** 100 each: brightness halved on a device, a class tripled on a device, and on all of a fleet. */
  runs: z.number().int(),
  detected: z.number().int(),
  falseAlarmsPer100DeviceDays: z.number(),
});

interface World {
  readonly images: readonly (readonly Seen[])[];
  readonly shares: readonly number[];
}

export const benchmark: Benchmark<z.infer<typeof documentSchema>> = {
  about: 'drift that is raised within ten minutes, and false alarms of streams that do not drift',
  options: {
    days: { type: 'string', default: '1000' },
    /** Only one part, since all take most of an hour: devices, shares, fleets or quiet. */
    part: { type: 'string', default: 'all' },
    /** Of the fleet how much drifts, a row each. */
    shares: { type: 'string', default: '0.05,0.1,0.2,0.3,0.4,0.5' },
    fleet: { type: 'string', default: String(FLEET) },
  },
  document: documentSchema,
  async run({ values, note }) {
    const days = Number(values['days']);
    const part = String(values['part']);
    if (!Number.isInteger(days) || days < QUIET_DAYS || !PARTS.includes(part)) {
      throw new BenchError('BENCH_USAGE', `--days: at least 10; --part: ${PARTS.join(', ')}.`);
    }
    const images = await seeImages();
    const bets = DriftBets.on(sketchOf(images.calibration));
    const setting = { bets, field: byLabel(images.field) };
    const has = (one: string): boolean => part === 'all' || part === one;
    const counted: number[] = [];
    if (has('devices')) counted.push(...devices(setting, byLabel(images.dark), note));
    if (has('shares')) {
      const fleet = Number(values['fleet']);
      for (const share of String(values['shares']).split(',').map(Number)) {
        fleetOf(setting, fleet, Math.round(share * fleet), note);
      }
    }
    if (has('fleets')) {
      const found = SMALL_FLEETS.map((size) => fleetOf(setting, size, size, note));
      counted.push(...(found.at(-1) ?? []));
    }
    const alarms = has('quiet') ? quiet(setting, days, note) : 0;
    return {
      runs: counted.length,
      detected: counted.filter(inTime).length,
      falseAlarmsPer100DeviceDays: (100 * alarms) / days,
    };
  },
};

type Note = (line: string) => void;
const inTime = (delay: number): boolean => delay <= WITHIN_MINUTES;

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

/** @returns false alarms at one in a hundred days of a device */
function quiet(setting: Setting, days: number, note: Note): number {
  const asked: Thresholds = { deviceDays: DAYS_PER_FALSE_ALARM, fleetDays: FAMILY.fleetDays };
  const found = quietFleet(setting, {
    ...{ devices: Math.ceil(days / QUIET_DAYS), days: QUIET_DAYS, asked },
    ...{ shares: classShares(CLASSES), firstSeed: FIRST_SEED - 1 },
    note,
  });
  note(
    `${days} device-days without drift: ${found.alarms} alarms of devices, ${found.ofFleet} of the fleet; ` +
      `most evidence of a device ${found.mostOfDevice.toFixed(1)} days, of the fleet ${found.mostOfFleet.toFixed(3)}`,
  );
  return found.alarms + found.ofFleet;
}

function told(found: readonly number[]): string {
  const sorted = [...found].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return `${found.filter(inTime).length} of ${found.length} within ${WITHIN_MINUTES} minutes, half of them within ${at(0.5)}, 95 % within ${at(0.95)}`;
}

/** Minutes from the start of the drift to the alarm, of each run; infinite when none was raised. */
function delays(
  { bets, field }: Setting,
  daysPerFalseAlarm: number,
  drift: (run: number) => World,
): number[] {
  return Array.from({ length: RUNS }, (_, run) => {
    const watch = new DriftWatch(bets, daysPerFalseAlarm);
    const stream = new DeviceStream(seededRandom(FIRST_SEED + 1000 * run));
    const before = { images: field, shares: classShares(CLASSES) };
    const after = drift(run);
    for (let minute = 1; minute <= BEFORE_MINUTES + WATCHED_MINUTES; minute += 1) {
      const { images, shares } = minute <= BEFORE_MINUTES ? before : after;
      const { alarm } = watch.take(stream.window(images, shares), WINDOW_DAYS);
      if (alarm && minute > BEFORE_MINUTES) return minute - BEFORE_MINUTES;
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
