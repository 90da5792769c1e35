import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { peakRssMiB, Tally, type FuzzRun, type Outcome } from './outcome.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDERS = ['examples', '../shared/models'].map((folder) => `${ROOT}${folder}`);
/** Node, the file and the 256 MiB that `readModel` lets a parsed file take at most. */
const BOUND_MIB = 768;
/** Longest answer to one file of at most some megabytes. */
const MOST_MS = 240_000;

const lineSchema = z.object({
  index: z.number(),
  mutation: z.string().optional(),
  code: z.string(),
  milliseconds: z.number(),
});

/** Spoilt models to the reader and everything that reads on from it, in a process of its own. */
export async function fuzzOnnx({ count, seed, note }: FuzzRun): Promise<Outcome> {
  const tally = new Tally();
  let [at, peak, slowest, servedAfter] = [0, 0, 0, true];
  while (at < count) {
    const child = spawn(
      process.execPath,
      [
        ...['--no-warnings', '--conditions=espalier-source', '--import', './bench/register.mjs'],
        ...['bench/fuzz/onnx-reader.ts', String(at), String(count), String(seed)],
        ...FOLDERS.filter(existsSync),
      ],
      { cwd: ROOT, stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const exited = once(child, 'exit');
    let watchdog = setTimeout(() => child.kill('SIGKILL'), MOST_MS);
    for await (const line of createInterface({ input: child.stdout })) {
      const { index, mutation, code, milliseconds } = lineSchema.parse(JSON.parse(line));
      clearTimeout(watchdog);
      watchdog = setTimeout(() => child.kill('SIGKILL'), MOST_MS);
      at = index + 1;
      if (code === 'accepted') tally.accepted += 1;
      else if (code.startsWith('UNCODED')) tally.fail(`${index} ${mutation ?? ''}: ${code}`);
      else tally.refuse(code);
      slowest = Math.max(slowest, milliseconds);
      peak = Math.max(peak, peakRssMiB(child.pid));
      if (at % 1000 === 0) note(`onnx: ${at} read, slowest ${slowest.toFixed(0)} ms`);
    }
    clearTimeout(watchdog);
    const [exitCode] = (await exited) as [number | null];
    servedAfter = exitCode === 0;
    if (at < count || !servedAfter) {
      tally.fail(`The reader ended at file ${at} with ${exitCode ?? 'a signal'}.`);
      at += 1;
    }
  }
  note(`onnx: slowest file ${slowest.toFixed(0)} ms`);
  return {
    ...{ target: 'onnx', seed, inputs: count, accepted: tally.accepted },
    ...{ refused: tally.refused, failures: tally.failures },
    ...{ peakRssMiB: peak, boundMiB: BOUND_MIB, servedAfter },
  };
}
