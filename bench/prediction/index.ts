import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { predictLatency, predictRam } from '@espalier/tuning';
import { z } from 'zod';
import type { Benchmark } from '../benchmark.js';
import { measureTruth } from './children.js';
import { Machine, type Measured } from './machine.js';
import { rankCorrelation } from './rank-correlation.js';
import { makeSubjects, type Subject } from './subjects.js';

const share = z.number().min(0).max(1);
const document = z.strictObject({
  pairs: z.number().int(),
  within15: share,
  within30: share,
  ramWithin: share,
  rankCorrelationMin: z.number(),
  settings: z.array(
    z.strictObject({
      threads: z.number().int(),
      precision: z.enum(['fp32', 'int8']),
      pairs: z.number().int(),
      within15: share,
      rankCorrelation: z.number(),
    }),
  ),
});
type Document = z.infer<typeof document>;

const THREADS = [1, 2];
/** Most seconds for the measured times and the profiles between them. */
const TRUTH_SECONDS = 400;
const RAM_SHARE = 0.15;
const RAM_BYTES = 2 * 2 ** 20;
const MIB = 2 ** 20;

interface Pair extends Measured {
  readonly subject: Subject;
  readonly threads: number;
}

/** How well a device's own kernel tables tell the latency and memory of models it never ran. */
export const benchmark: Benchmark<Document> = {
  about: 'predicted against measured latency and memory, from profiles alone',
  options: { seed: { type: 'string' } },
  document,
  async run({ values, note }) {
    const seed = Number(values['seed'] ?? Date.now() % 1_000_000);
    note(`seed ${seed}`);
    const folder = await mkdtemp(path.join(tmpdir(), 'espalier-prediction-'));
    try {
      const { subjects, empty, reference } = await makeSubjects(folder, seed);
      const machine = new Machine(empty, reference, note);
      const pairs: Pair[] = subjects.flatMap((subject) =>
        THREADS.map((threads) => ({
          ...{ subject, threads, windows: [] },
          request: { model: subject.path, threads },
        })),
      );
      await machine.measure(pairs, seed, TRUTH_SECONDS);
      const profile = machine.settled();
      let ramWithin = 0;
      for (const { name, precision, model, path: file } of subjects) {
        const request = { empty, reference: null, model: file, threads: 1 };
        const { peakBytes } = await measureTruth(request);
        const { incrementBytes } = predictRam(model, precision, profile);
        const within =
          Math.abs(incrementBytes - peakBytes) <= Math.max(RAM_SHARE * peakBytes, RAM_BYTES);
        if (within) ramWithin++;
        note(
          `${name} ${precision}: ${(peakBytes / MIB).toFixed(1)} MiB measured, ${(incrementBytes / MIB).toFixed(1)} predicted${within ? '' : ' *'}`,
        );
      }
      const judged = pairs.map((pair) => {
        const { subject, threads } = pair;
        const { ms, low, high } = predictLatency(subject.model, subject.precision, profile, {
          threads,
        });
        const p50 = machine.p50(pair);
        const off = ms / p50 - 1;
        note(
          `${subject.name} ${subject.precision} ${threads}: ${p50.toFixed(3)} ms measured (${machine.counted(pair).length} of ${pair.windows.length} windows), ${ms.toFixed(3)} predicted, ${(100 * off).toFixed(0)} %`,
        );
        const inside = p50 >= low && p50 <= high;
        return { subject, threads, p50, ms, off: Math.abs(off), inside };
      });
      const byMedian = judged.map(({ ms }, at) => {
        const pair = pairs[at];
        const p50 = pair ? machine.p50(pair, 0.5) : 0;
        return { off: Math.abs(ms / p50 - 1) };
      });
      note(
        `against the median of the windows instead: ${(100 * sharesOf(byMedian, 0.15)).toFixed(1)} % within 15 %, ${(100 * sharesOf(byMedian, 0.3)).toFixed(1)} % within 30 %`,
      );
      for (const single of machine.profiles) {
        const offs = pairs.map((pair) => {
          const { model, precision } = pair.subject;
          const { ms } = predictLatency(model, precision, single, { threads: pair.threads });
          return { off: Math.abs(ms / machine.p50(pair) - 1) };
        });
        note(
          `from one profile alone, probe ${single.probeMs?.toFixed(4) ?? '-'} ms: ${(100 * sharesOf(offs, 0.15)).toFixed(0)} % within 15 %, ${(100 * sharesOf(offs, 0.3)).toFixed(0)} % within 30 %`,
        );
      }
      note(
        `${judged.filter(({ inside }) => inside).length} of ${judged.length} inside the predicted interval`,
      );
      const settings = THREADS.flatMap((threads) =>
        (['fp32', 'int8'] as const).map((precision) => {
          const own = judged.filter(
            (one) => one.threads === threads && one.subject.precision === precision,
          );
          return {
            ...{ threads, precision, pairs: own.length, within15: sharesOf(own, 0.15) },
            rankCorrelation: rankCorrelation(
              own.map(({ p50 }) => p50),
              own.map(({ ms }) => ms),
            ),
          };
        }),
      );
      return {
        pairs: pairs.length,
        within15: sharesOf(judged, 0.15),
        within30: sharesOf(judged, 0.3),
        ramWithin: ramWithin / subjects.length,
        rankCorrelationMin: Math.min(...settings.map((one) => one.rankCorrelation)),
        settings,
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

function sharesOf(judged: readonly { readonly off: number }[], most: number): number {
  return judged.filter(({ off }) => off <= most).length / Math.max(1, judged.length);
}
