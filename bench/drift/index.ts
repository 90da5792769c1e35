import { seededRandom } from '@espalier/dataset';
import { DriftWatch, StreamMemory, WindowSketch } from '@espalier/evidence';
import { z } from 'zod';
import { BenchError, type Benchmark } from '../benchmark.js';
import { seeImages, type Images, type Seen } from './images.js';
import { byLabel, classShares, DeviceStream, RUN_LENGTH, WINDOW_ITEMS } from './stream.js';
import { mostThatAnyTestDetects } from './attainable.js';

const FIRST_SEED = 30_000;
const CLASSES = 10;
const TRIPLED = 3;
const RUNS = 100;
const WINDOW_DAYS = WINDOW_ITEMS / 86_400;
/** Asked: at most one false alarm in so many days of a device. */
const DAYS_PER_FALSE_ALARM = 100;
const FLEET_DEVICES = 10_000;
/** A stream runs so long before it drifts. */
const BEFORE_MINUTES = 360;
/** Detected means within so many minutes of the stream's time. */
const WITHIN_MINUTES = 10;
/** How long an alarm is waited for, so that late ones are told. */
const WATCHED_MINUTES = 240;
/** Days of each stream without drift. */
const QUIET_DAYS = 10;
/** Devices that drift together, their windows merged. */
const TOGETHER = [1, 3, 5, 10];

const documentSchema = z.strictObject({
  /** Streams that drift: 100 in which a class is tripled, 100 at half brightness. */
  runs: z.number().int(),
  detected: z.number().int(),
  falseAlarmsPer100DeviceDays: z.number(),
});

interface Setting {
  readonly reference: WindowSketch;
  readonly field: readonly (readonly Seen[])[];
  readonly days: number;
}

export const benchmark: Benchmark<z.infer<typeof documentSchema>> = {
  about: 'drift that is raised within ten minutes, and false alarms of streams that do not drift',
  options: { days: { type: 'string', default: '400' } },
  document: documentSchema,
  async run({ values, note }) {
    const days = Number(values['days']);
    if (!Number.isInteger(days) || days < QUIET_DAYS) {
      throw new BenchError('BENCH_USAGE', `--days ${String(values['days'])}: at least 10 days.`);
    }
    const images = await seeImages();
    const setting = {
      reference: sketchOf(images.calibration),
      field: byLabel(images.field),
      days: DAYS_PER_FALSE_ALARM,
    };
    const bound = mostThatAnyTestDetects({
      share: 1 / CLASSES,
      factor: TRIPLED,
      runs: (WITHIN_MINUTES * WINDOW_ITEMS) / RUN_LENGTH,
      runsPerFalseAlarm: (DAYS_PER_FALSE_ALARM * 86_400) / RUN_LENGTH,
    });
    note(
      `no test of one device can detect a tripled class in more than ${bound.toFixed(3)} of runs`,
    );
    const dark = delays(setting, 1, () => ({
      images: byLabel(images.dark),
      shares: classShares(CLASSES),
    }));
    note(`brightness halved: ${told(dark)}`);
    const strict = { ...setting, days: FLEET_DEVICES };
    const darkInFleet = delays(strict, 1, () => ({
      images: byLabel(images.dark),
      shares: classShares(CLASSES),
    }));
    note(`the same, one false alarm a day among ${FLEET_DEVICES} devices: ${told(darkInFleet)}`);
    const tripled = TOGETHER.map((together) => {
      const found = delays(setting, together, (run) => ({
        images: setting.field,
        shares: classShares(CLASSES, run % CLASSES, TRIPLED),
      }));
      note(`a class tripled on ${together} devices of a variant: ${told(found)}`);
      return found;
    });
    const falseAlarms = quietAlarms(setting, days, note);
    const counted = [dark, tripled[0] ?? []].flat();
    return {
      runs: counted.length,
      detected: counted.filter(inTime).length,
      falseAlarmsPer100DeviceDays: (100 * falseAlarms) / days,
    };
  },
};

const inTime = (delay: number): boolean => delay <= WITHIN_MINUTES;

function told(found: readonly number[]): string {
  const sorted = [...found].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.ceil(share * sorted.length) - 1] ?? 0;
  return `${found.filter(inTime).length} of ${found.length} within ${WITHIN_MINUTES} minutes, half of them within ${at(0.5)}, 95 % within ${at(0.95)}`;
}

/** Minutes from the start of the drift to the alarm, of each run; infinite when none was raised. */
function delays(
  { reference, field, days }: Setting,
  together: number,
  drift: (run: number) => { images: readonly (readonly Seen[])[]; shares: readonly number[] },
): number[] {
  return Array.from({ length: RUNS }, (_, run) => {
    const watch = new DriftWatch(reference, days);
    const streams = Array.from(
      { length: together },
      (__, device) => new DeviceStream(seededRandom(FIRST_SEED + 1000 * run + device)),
    );
    const before = { images: field, shares: classShares(CLASSES) };
    const after = drift(run);
    for (let minute = 1; minute <= BEFORE_MINUTES + WATCHED_MINUTES; minute += 1) {
      const { images, shares } = minute <= BEFORE_MINUTES ? before : after;
      const window = new WindowSketch();
      for (const stream of streams) window.merge(stream.window(images, shares));
      const { alarm } = watch.take(window, WINDOW_DAYS);
      if (alarm && minute > BEFORE_MINUTES) return minute - BEFORE_MINUTES;
    }
    return Infinity;
  });
}

/** Alarms of streams that do not drift. */
function quietAlarms(
  { reference, field, days: asked }: Setting,
  days: number,
  note: (line: string) => void,
): number {
  const shares = classShares(CLASSES);
  let alarms = 0;
  for (let device = 0; device * QUIET_DAYS < days; device += 1) {
    const watch = new DriftWatch(reference, asked);
    const stream = new DeviceStream(seededRandom(FIRST_SEED - 1 - device));
    let on = false;
    let most = 0;
    let family: string | null = null;
    for (let at = 0; at < QUIET_DAYS / WINDOW_DAYS; at += 1) {
      const verdict = watch.take(stream.window(field, shares), WINDOW_DAYS);
      if (verdict.alarm && !on) alarms += 1;
      on = verdict.alarm;
      family = verdict.family ?? family;
      most = Math.max(most, verdict.evidenceDays);
    }
    note(`device ${device}: most evidence ${most.toFixed(2)} days, ${family ?? 'no alarm'}`);
  }
  return alarms;
}

function sketchOf(images: Images['calibration']): WindowSketch {
  const sketch = new WindowSketch();
  const memory = new StreamMemory();
  for (const { input, output } of images) sketch.add(input, output, memory);
  return sketch;
}
