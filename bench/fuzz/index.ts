import { z } from 'zod';
import { type Benchmark, type BenchContext, BenchError } from '../benchmark.js';
import { fuzzAgent } from './agent.js';
import { fuzzBroker } from './broker.js';
import { fuzzOnnx } from './onnx.js';
import { outcomeSchema, type FuzzRun, type Outcome } from './outcome.js';
import { fuzzServer } from './server.js';

const TARGETS: Readonly<Record<string, (run: FuzzRun) => Promise<Outcome>>> = {
  'control-server': fuzzServer,
  'control-broker': fuzzBroker,
  'control-agent': fuzzAgent,
  onnx: fuzzOnnx,
};

const resultSchema = z.array(outcomeSchema);

/** Spoilt messages and files to the real processes; each is to answer with a code and to go on. */
export const benchmark: Benchmark<z.infer<typeof resultSchema>> = {
  about: 'spoilt control messages and models: coded refusals, bounded memory, no crash',
  options: {
    count: { type: 'string', default: '10000' },
    seed: { type: 'string', default: '1' },
    target: { type: 'string' },
    keep: { type: 'string' },
  },
  document: resultSchema,
  run: async ({ values, note }) => {
    const [count, seed] = [whole(values, 'count'), whole(values, 'seed')];
    const outcomes: Outcome[] = [];
    for (const target of targets(values['target'])) {
      note(`${target.name}: ${count} inputs from seed ${seed}`);
      outcomes.push(await target.fuzz({ count, seed, note, ...kept(values['keep']) }));
    }
    return outcomes;
  },
};

function targets(named: BenchContext['values'][string]) {
  const all = Object.entries(TARGETS).map(([name, fuzz]) => ({ name, fuzz }));
  if (named === undefined) return all;
  const chosen = all.filter(({ name }) => name === named);
  if (chosen.length > 0) return chosen;
  throw new BenchError('BENCH_USAGE', `--target is one of: ${Object.keys(TARGETS).join(', ')}.`);
}

const kept = (folder: BenchContext['values'][string]) =>
  typeof folder === 'string' ? { keep: folder } : {};

function whole(values: BenchContext['values'], name: string): number {
  const value = Number(values[name]);
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new BenchError('BENCH_USAGE', `--${name} must be a whole number above 0.`);
}
