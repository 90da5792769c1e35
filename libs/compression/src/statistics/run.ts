import { edit, type Model, openSession, type Tensor } from '@espalier/onnx';
import { CompressionError } from '../errors.js';
import { batchesOf, type Samples } from './samples.js';

/** What every pass over the samples shares. */
export interface RunSettings {
  readonly threads: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs a model over samples batch by batch and hands over the named tensors; only the part of the
 * graph that they need is computed. Batches are not kept.
 * @param visit tensors by name, the first sample's place in `indices`, and how many samples count
 * @throws CompressionError COMPRESS_CANCELLED
 */
export async function runOver(
  model: Model,
  outputs: readonly string[],
  samples: Samples,
  indices: readonly number[],
  settings: RunSettings,
  visit: (tensors: Record<string, Tensor>, offset: number, count: number) => void | Promise<void>,
): Promise<void> {
  if (outputs.length === 0) return;
  const part = edit(model).setOutputs(outputs).removeUnused().done();
  const session = await openSession(part, { threads: settings.threads });
  try {
    let offset = 0;
    for (const batch of batchesOf(samples, indices)) {
      checkCancelled(settings.signal);
      await visit(await session.run(samples.feed(batch.indices), outputs), offset, batch.real);
      offset += batch.real;
    }
  } finally {
    await session.release();
  }
}

/** @throws CompressionError COMPRESS_CANCELLED once the signal is raised */
export function checkCancelled(signal: AbortSignal | undefined): void {
  if (signal?.aborted)
    throw new CompressionError('COMPRESS_CANCELLED', 'The compression was cancelled.');
}
