import { Worker } from 'node:worker_threads';
import { z } from 'zod';
import { BenchError, type Benchmark } from '../benchmark.js';
import { seeImages } from './images.js';
import { PARTS, type Found } from './parts.js';
import type { Said, Task } from './parts-thread.js';

/** Parts that go one after the other; both rows take about as long, so that two cores are put to use. */
const LANES = [['family'], ['devices', 'shares', 'fleets', 'quiet']] as const;

const documentSchema = z.strictObject({
  /** 100 each: brightness halved on a device, a class tripled on a device, and on all of a fleet. */
  runs: z.number().int(),
  detected: z.number().int(),
  /** At what one device by itself is asked for, which is far less than what the family is. */
  falseAlarmsPer100DeviceDays: z.number(),
});

export const benchmark: Benchmark<z.infer<typeof documentSchema>> = {
  about: 'drift that is raised within ten minutes, and false alarms of streams that do not drift',
  options: {
    /** Device-days of a few long streams without drift. */
    days: { type: 'string', default: '1000' },
    /** How long each of the family's 10,000 streams is. */
    hours: { type: 'string', default: '12' },
    /** Only one part: devices, shares, fleets, quiet or family. */
    part: { type: 'string', default: 'all' },
  },
  document: documentSchema,
  async run({ values, note }) {
    const asked = { days: Number(values['days']), hours: Number(values['hours']) };
    const { part } = values;
    const isKnown = part === 'all' || PARTS.some((one) => one === part);
    if (!isKnown || !(asked.days > 0) || !(asked.hours > 0)) {
      throw new BenchError('BENCH_USAGE', `--days, --hours: above 0; --part: ${PARTS.join(', ')}.`);
    }
    const started = performance.now();
    const timed = (line: string): void =>
      note(`${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s  ${line}`);
    const images = await seeImages();
    timed('what the model makes of each image is known');
    const lanes = LANES.map((lane) => lane.filter((one) => part === 'all' || one === part));
    const found = await Promise.all(
      lanes.flatMap((parts) =>
        parts.length > 0 ? [inThread({ parts, images, asked }, timed)] : [],
      ),
    );
    const sum = (count: (one: Found) => number): number =>
      found.flat().reduce((total, one) => total + count(one), 0);
    return {
      runs: sum(({ runs }) => runs),
      detected: sum(({ detected }) => detected),
      falseAlarmsPer100DeviceDays:
        (100 * sum(({ falseAlarms }) => falseAlarms)) /
        Math.max(
          1,
          sum((one) => one.deviceDays),
        ),
    };
  },
};

/** Measures parts, one after the other, in a thread of their own. */
function inThread(task: Task, note: (line: string) => void): Promise<Found[]> {
  return new Promise((resolve, reject) => {
    const thread = new Worker(new URL('./parts-thread.mjs', import.meta.url), { workerData: task });
    thread.on('message', (said: Said) => {
      if ('note' in said) note(said.note);
      else resolve(said.found);
    });
    thread.once('error', reject);
    thread.once('exit', () => reject(new Error('The thread ended without an answer.')));
  });
}
