import { access, readdir } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type BenchContext, type Benchmark, BenchError } from './benchmark.js';

const HERE = new URL('.', import.meta.url);

try {
  const [name, ...rest] = process.argv.slice(2);
  const benchmark = await open(name);
  const { json, ...values } = valuesOf(benchmark, rest);
  const note = (line: string): void => void process.stderr.write(`${line}\n`);
  const document = benchmark.document.parse(await benchmark.run({ values, note }));
  if (json) process.stdout.write(`${JSON.stringify(document)}\n`);
  else console.table(document);
} catch (error) {
  if (!(error instanceof BenchError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exitCode = 2;
}

async function open(name: string | undefined): Promise<Benchmark> {
  const names = await benchmarks();
  if (name === undefined || !names.includes(name)) {
    const what = name === undefined ? 'No benchmark named.' : `There is no benchmark "${name}".`;
    throw new BenchError(
      'BENCH_USAGE',
      `${what} npm run bench -- NAME --json, where NAME is one of: ${names.join(', ')}.`,
    );
  }
  const module = (await import(new URL(`${name}/index.ts`, HERE).href)) as { benchmark: Benchmark };
  return module.benchmark;
}

/** The folders here that hold a benchmark. */
async function benchmarks(): Promise<string[]> {
  const entries = await readdir(HERE, { withFileTypes: true });
  const names = await Promise.all(
    entries.map(async (entry) => {
      if (!entry.isDirectory()) return [];
      return access(new URL(`${entry.name}/index.ts`, HERE)).then(
        () => [entry.name],
        () => [],
      );
    }),
  );
  return names.flat().sort();
}

function valuesOf(benchmark: Benchmark, args: string[]): BenchContext['values'] {
  try {
    const options = { ...benchmark.options, json: { type: 'boolean' as const } };
    return parseArgs({ args, options, strict: true }).values;
  } catch (cause) {
    const known = Object.keys(benchmark.options ?? {}).map((option) => `--${option}`);
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new BenchError('BENCH_USAGE', `${why} Options: ${[...known, '--json'].join(', ')}.`);
  }
}
