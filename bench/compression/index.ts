import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { constants, brotliCompressSync } from 'node:zlib';
import {
  type CompressionReport,
  compressionReportSchema,
  paretoSchema,
} from '@espalier/compression';
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
  options: { row: { type: 'string', multiple: true }, front: { type: 'string' } },
  document: z.array(resultSchema),
  run: async ({ values, note }) => {
    const { row: rows, front } = values;
    if (front !== undefined) return inFolder((folder) => runFront(String(front), folder, note));
    const results: Result[] = [];
    for (const row of chosenRows(rows))
      results.push(await inFolder((folder) => runRow(row, folder, note)));
    return results;
  },
};

async function inFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

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

async function runRow(row: Row, folder: string, note: BenchContext['note']): Promise<Result> {
  const measured = await compress(row, argumentsOf(row), join(folder, 'variant'));
  const report = compressionReportSchema.parse(JSON.parse(measured.stdout));
  const result = resultOf(row, report, measured);
  const { model, variant, artifact, goals } = report;
  note(
    [
      `${row.model} ${row.goal} ${row.precision}: lost ${pointsLost(result)} points (at most ${row.mostDrop})`,
      `${(variant.bytes / model.bytes).toFixed(3)} of the bytes`,
      `${artifact.bytes} bytes to send`,
      `goals ${goals.every(({ met }) => met) ? 'met' : 'not met'}`,
      effort(measured),
    ].join(', '),
  );
  if (row.goal.startsWith('sparsity')) note(await againstDense(row, artifact.bytes, folder));
  return result;
}

/** `--front N`: a whole front of the first model in one process, a result a candidate. */
async function runFront(
  points: string,
  folder: string,
  note: BenchContext['note'],
): Promise<Result[]> {
  const [first] = ROWS;
  if (!first || !(Number(points) >= 2)) {
    throw new BenchError('BENCH_USAGE', `--front ${points} is not a number of candidates from 2.`);
  }
  const row: Row = { ...first, goal: 'pareto' };
  const out = join(folder, 'front');
  const args = ['--pareto', '--points', points, '--precision', 'auto'];
  const measured = await compress(row, args, out);
  const { candidates } = paretoSchema.parse(JSON.parse(measured.stdout));
  const results: Result[] = [];
  for (const { id } of candidates) {
    const report = compressionReportSchema.parse(
      JSON.parse(await readFile(join(out, id, 'report.json'), 'utf8')),
    );
    const result = resultOf(row, report, measured);
    note(`${id}: lost ${pointsLost(result)} points, ${report.artifact.bytes} bytes to send`);
    results.push(result);
  }
  note(`all: ${effort(measured)}`);
  return results;
}

const effort = ({ seconds, cpuSeconds, peakRssMiB }: Measured): string =>
  `${seconds.toFixed(1)} s (${cpuSeconds.toFixed(1)} s of processor time), ${peakRssMiB.toFixed(0)} MiB`;

const pointsLost = ({ accuracyBefore, accuracyAfter }: Result): string =>
  (100 * (accuracyBefore - accuracyAfter)).toFixed(2);

function resultOf(
  { model, goal, data }: Row,
  { model: before, variant, quality }: CompressionReport,
  { seconds, peakRssMiB }: Measured,
): Result {
  if (!quality) throw new BenchError('BENCH_INPUT', `${data} has no labels.`);
  return {
    ...{ model, goal, precision: variant.precision, macsRatio: variant.macs / before.macs },
    ...{ accuracyBefore: quality.before, accuracyAfter: quality.after, interval: quality.interval },
    ...{ seconds, peakRssMiB },
  };
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
