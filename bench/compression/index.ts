import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, brotliCompressSync } from 'node:zlib';
import { compressionReportSchema } from '@espalier/compression';
import { z } from 'zod';
import { type BenchContext, type Benchmark, BenchError } from '../benchmark.js';
import { sharedFile } from '../shared.js';
import { type Measured, measureEspalier } from '../measured-process.js';
import { argumentsOf, type Row, ROWS } from './rows.js';

const resultSchema = z.strictObject({
  model: z.string(),
  goal: z.string(),
  precision: z.string(),
  macsRatio: z.number(),
  accuracyBefore: z.number(),
  accuracyAfter: z.number(),
  interval: z.tuple([z.number(), z.number()]),
  seconds: z.number(),
  peakRssMiB: z.number(),
});
type Result = z.infer<typeof resultSchema>;

/** The table of real models: each row a run of `espalier compress` in a process of its own. */
export const benchmark: Benchmark<Result[]> = {
  about: 'accuracy, time and memory of compress on the models of ../shared',
  options: { row: { type: 'string', multiple: true } },
  document: z.array(resultSchema),
  run: async ({ values, note }) => {
    const results: Result[] = [];
    for (const row of chosenRows(values['row'])) results.push(await runRow(row, note));
    return results;
  },
};

/** `--row N` takes the Nth row, counted from 1; without it, all. */
function chosenRows(given: BenchContext['values'][string]): Row[] {
  if (!Array.isArray(given)) return [...ROWS];
  return given.map((text) => {
    const row = ROWS[Number(text) - 1];
    if (row) return row;
    const names = ROWS.map(
      ({ model, goal, precision }, i) => `${i + 1} ${model} ${goal} ${precision}`,
    );
    throw new BenchError('BENCH_USAGE', `There is no row ${text}. Rows: ${names.join('; ')}.`);
  });
}

async function runRow(row: Row, note: BenchContext['note']): Promise<Result> {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  try {
    const measured = await compress(row, argumentsOf(row), join(folder, 'variant'));
    const { model, variant, quality, artifact, goals } = compressionReportSchema.parse(
      JSON.parse(measured.stdout),
    );
    if (!quality) throw new BenchError('BENCH_INPUT', `${row.data} has no labels.`);
    const drop = 100 * (quality.before - quality.after);
    note(
      [
        `${row.model} ${row.goal} ${row.precision}: lost ${drop.toFixed(2)} points (at most ${row.mostDrop})`,
        `${(variant.bytes / model.bytes).toFixed(3)} of the bytes`,
        `${artifact.bytes} bytes to send`,
        `goals ${goals.every(({ met }) => met) ? 'met' : 'not met'}`,
        `${measured.seconds.toFixed(1)} s, ${measured.peakRssMiB.toFixed(0)} MiB`,
      ].join(', '),
    );
    if (row.goal.startsWith('sparsity')) note(await againstDense(row, artifact.bytes, folder));
    return {
      model: row.model,
      goal: row.goal,
      precision: variant.precision,
      macsRatio: variant.macs / model.macs,
      accuracyBefore: quality.before,
      accuracyAfter: quality.after,
      interval: quality.interval,
      seconds: measured.seconds,
      peakRssMiB: measured.peakRssMiB,
    };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function compress(row: Row, args: readonly string[], out: string): Promise<Measured> {
  const measured = await measureEspalier([
    'compress',
    await sharedFile(`models/${row.model}.onnx`),
    ...['--card', await sharedFile(`models/${row.model}.json`)],
    ...['--calibration', await sharedFile(`data/${row.data}-calibration.npz`)],
    ...['--evaluation', await sharedFile(`data/${row.data}-evaluation.npz`)],
    ...args,
    ...['--out', out, '--json'],
  ]);
  // 1: a goal was missed, and the best found was written; it counts as it is.
  if (measured.exitCode === 0 || measured.exitCode === 1) return measured;
  throw new Error(`espalier compress ended with ${measured.exitCode}: ${measured.stderr}`);
}

/** What a sparse variant takes to send, beside brotli at its strongest on the int8 file with no zeros asked. */
async function againstDense(row: Row, sent: number, folder: string): Promise<string> {
  const out = join(folder, 'dense');
  await compress(row, ['--precision', row.precision], out);
  const dense = await readFile(join(out, 'model.onnx'));
  const { BROTLI_PARAM_QUALITY, BROTLI_MAX_QUALITY } = constants;
  const brotli = brotliCompressSync(dense, {
    params: { [BROTLI_PARAM_QUALITY]: BROTLI_MAX_QUALITY },
  });
  return `  to send: ${(sent / brotli.length).toFixed(3)} of the dense ${row.precision} file under brotli-11 (${brotli.length} bytes)`;
}
