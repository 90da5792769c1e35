import { readFile, rm } from 'node:fs/promises';
import path from 'node:path';
import { graphOf, type Model, openSession, readModel, writeModel } from '@espalier/onnx';
import { chainModel } from './kernel-chain.js';

const PROBE_CHANNELS = 8;
const NCHWC = 'com.microsoft.nchwc';

/**
 * The channel block of the layout that the runtime gave a convolution of {@link PROBE_CHANNELS}
 * channels: none of its own is 1; where the input had to be reordered, a block is no wider than the
 * probe; where it was read as it came, the next wider one.
 */
export function convBlockOf(optimized: Model): number {
  const nodes = graphOf(optimized).nodes.filter((node) => node.domain === NCHWC);
  if (!nodes.some((node) => node.op === 'Conv')) return 1;
  const reordered = nodes.some((node) => node.op === 'ReorderInput');
  return reordered ? PROBE_CHANNELS : PROBE_CHANNELS * 2;
}

/** Asks the runtime how it lays out convolutions on this processor, by way of a file in `dir`. */
export async function readConvBlock(dir: string): Promise<number> {
  const file = path.join(dir, `.layout-${process.pid}.onnx`);
  const channels = { cin: PROBE_CHANNELS, cout: PROBE_CHANNELS, size: 4, width: 4 };
  const kernel = { id: 'probe', op: 'conv', precisions: ['fp32'], ...channels } as const;
  const probe = chainModel(
    { ...kernel, kernel: 1, stride: 1, group: 1, activation: 'relu', steps: null, weights: 'near' },
    'fp32',
    1,
  );
  try {
    const session = await openSession(writeModel(probe), { optimizedModelPath: file });
    await session.release();
    return convBlockOf(readModel(new Uint8Array(await readFile(file))));
  } finally {
    await rm(file, { force: true });
  }
}
