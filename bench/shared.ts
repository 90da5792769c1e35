import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { BenchError } from './benchmark.js';

/** The folder of models and data beside the checkout. */
const SHARED = new URL('../../shared/', import.meta.url);

/**
 * The path of a file of `../shared`.
 * @throws BenchError BENCH_INPUT when it is not there
 */
export async function sharedFile(name: string): Promise<string> {
  const path = fileURLToPath(new URL(name, SHARED));
  try {
    await access(path);
  } catch {
    throw new BenchError(
      'BENCH_INPUT',
      `${path} is missing; this benchmark reads its models and data from a folder "shared" beside the checkout.`,
    );
  }
  return path;
}
