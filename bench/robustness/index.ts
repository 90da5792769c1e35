import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openDataset, writeNpz } from '@espalier/dataset';
import { openSession } from '@espalier/onnx';
import { z } from 'zod';
import { type Benchmark, type BenchContext, BenchError } from '../benchmark.js';
import { type Measured, measureEspalier } from '../measured-process.js';
import { sharedFile } from '../shared.js';
import { type Case, type Original, spoiledFiles } from './cases.js';

const MODELS: Readonly<Record<string, string>> = {
  'mbv2-cifar10': 'cifar10',
  'resnet8-cifar10': 'cifar10',
  'dscnn-kws': 'kws',
};

/** Calibration samples: a broken file is found, or a harmless change compressed, with few. */
const SAMPLES = 16;

const MOST_MIB = 1024;
const MOST_SECONDS = 180;

const resultSchema = z.strictObject({
  files: z.number(),
  refused: z.number(),
  harmless: z.number(),
  failed: z.array(
    z.strictObject({
      file: z.string(),
      mutation: z.string(),
      command: z.string(),
      what: z.string(),
    }),
  ),
  peakRssMiB: z.number(),
  slowestSeconds: z.number(),
});

/** Spoiled models and data through `inspect` and `compress`, each in a process of its own. */
export const benchmark: Benchmark<z.infer<typeof resultSchema>> = {
  about: 'spoiled files: a coded error or a right result, never a crash',
  options: {
    files: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string' },
  },
  document: resultSchema,
  run: async ({ values, note }) => {
    const folder = await mkdtemp(join(tmpdir(), 'espalier-spoiled-'));
    try {
      const cases = spoiledFiles(await originals(), whole(values, 'files'), whole(values, 'seed'));
      return await judgeAll(cases, values['only'], folder, note);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

function whole(values: BenchContext['values'], name: string): number {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new BenchError('BENCH_USAGE', `--${name} must be a whole number above 0.`);
}

async function originals(): Promise<Original[]> {
  const models = Object.keys(MODELS).map(async (name) => ({
    ...{ name, kind: 'model' as const },
    bytes: new Uint8Array(await readFile(await sharedFile(`models/${name}.onnx`))),
  }));
  const data = Object.entries(MODELS).map(async ([name, file]) => ({
    ...{ name, kind: 'data' as const, bytes: await fewSamples(file) },
  }));
  return Promise.all([...models, ...data]);
}

async function fewSamples(name: string): Promise<Uint8Array> {
  const { x, y } = openDataset(await readFile(await sharedFile(`data/${name}-calibration.npz`)));
  const dims = [SAMPLES, ...x.dims.slice(1)];
  const size = dims.reduce((product, dim) => product * dim, 1);
  return writeNpz({
    x: { ...x, dims, data: x.data.slice(0, size) },
    ...(y && { y: { dtype: 'int32', dims: [SAMPLES], data: y.slice(0, SAMPLES) } }),
  });
}

async function judgeAll(
  cases: readonly Case[],
  only: BenchContext['values'][string],
  folder: string,
  note: BenchContext['note'],
): Promise<z.infer<typeof resultSchema>> {
  const failed: z.infer<typeof resultSchema>['failed'] = [];
  let [refused, harmless, peakRssMiB, slowestSeconds] = [0, 0, 0, 0];
  for (const [i, spoiled] of cases.entries()) {
    if (only !== undefined && String(i) !== only) continue;
    const outcomes: Outcome[] = [];
    for (const [command, args] of await commandsFor(spoiled, join(folder, String(i)))) {
      const measured = await measureEspalier(args, MOST_SECONDS);
      const outcome = await judge(measured, args);
      outcomes.push(outcome);
      peakRssMiB = Math.max(peakRssMiB, measured.peakRssMiB);
      slowestSeconds = Math.max(slowestSeconds, measured.seconds);
      if (outcome.kind === 'failed') {
        const { name, kind } = spoiled.original;
        failed.push({
          file: `${i} ${name} ${kind}`,
          mutation: spoiled.mutation,
          command,
          what: outcome.what,
        });
      }
    }
    if (outcomes.every(({ kind }) => kind === 'done')) harmless++;
    else if (outcomes.every(({ kind }) => kind !== 'failed')) refused++;
    note(
      `${i} ${spoiled.original.name} ${spoiled.mutation}: ${outcomes.map(({ what }) => what).join(' | ')}`,
    );
  }
  return { files: cases.length, refused, harmless, failed, peakRssMiB, slowestSeconds };
}

async function commandsFor(
  { original, bytes }: Case,
  folder: string,
): Promise<[command: string, args: string[]][]> {
  const path = `${folder}-spoiled`;
  await writeFile(path, bytes);
  const sound = `${folder}-sound`;
  const isModel = original.kind === 'model';
  if (isModel) await writeFile(sound, await fewSamples(MODELS[original.name] ?? ''));
  const model = isModel ? path : await sharedFile(`models/${original.name}.onnx`);
  const compress = [
    ...['compress', model, '--calibration', isModel ? sound : path],
    ...['--card', await sharedFile(`models/${original.name}.json`)],
    ...['--macs-ratio', '0.8', '--json', '--out', `${folder}-out`],
  ];
  return isModel
    ? [
        ['inspect', ['inspect', path, '--json']],
        ['compress', compress],
      ]
    : [['compress', compress]];
}

interface Outcome {
  readonly kind: 'done' | 'refused' | 'failed';
  readonly what: string;
}

async function judge(measured: Measured, args: readonly string[]): Promise<Outcome> {
  const { exitCode, stderr, peakRssMiB } = measured;
  const code = /^(?!CLI_INTERNAL)[A-Z][A-Z_]+: .*$/m.exec(stderr)?.[0];
  const failed = (what: string): Outcome => ({ kind: 'failed', what: `FAILED ${what}` });
  if (exitCode === null) return failed('a crash, or no end in time');
  if (peakRssMiB > MOST_MIB) return failed(`${peakRssMiB.toFixed(0)} MiB`);
  if (exitCode === 2) return code ? { kind: 'refused', what: code.slice(0, 160) } : failed(stderr);
  if (exitCode > 2) return failed(`exit ${exitCode}: ${stderr.slice(-600)}`);
  const out = args[args.indexOf('--out') + 1];
  if (args[0] !== 'compress' || out === undefined) return { kind: 'done', what: 'inspected' };
  try {
    const session = await openSession(new Uint8Array(await readFile(join(out, 'model.onnx'))));
    await session.release();
    return { kind: 'done', what: `exit ${exitCode}` };
  } catch (error) {
    return failed(`a variant that does not load: ${String(error)}`);
  }
}
