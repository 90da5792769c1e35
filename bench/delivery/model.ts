import { writeNpz } from '@espalier/dataset';
import { buildModel, floatTensor, writeModel } from '@espalier/onnx';
import { until } from './child.js';
import type { Server } from './server.js';

/**
 * Widths that make a model of over nine megabytes, of which more than eight are left once it is encoded. Nearly all
 * of it is the last layer, which is not pruned, so that the variant is soon made.
 */
const WIDTHS = [64, 64, 38_000] as const;
const SAMPLES = 160;

/** What is rolled out. */
export interface Variant {
  readonly modelId: string;
  readonly artifact: { readonly sha256: string; readonly bytes: number };
}

/** A model of random weights, made into one variant unless the server's folder has it already. */
export async function makeVariant(server: Server): Promise<Variant> {
  const { models } = await server.call<{ models: { id: string }[] }>('GET', '/api/v1/models');
  for (const { id } of models) {
    const made = await largestOf(server, id);
    if (made) return made;
  }
  const form = new FormData();
  form.set('name', 'delivered');
  form.set('model', blobOf(randomModel()), 'model.onnx');
  form.set('calibration', blobOf(randomData()), 'calibration.npz');
  form.set('evaluation', blobOf(randomData()), 'evaluation.npz');
  const { id: modelId } = await server.call<{ id: string }>('POST', '/api/v1/models', form);
  const request = { points: 1, precisions: ['fp32'] };
  const path = `/api/v1/models/${modelId}/candidates`;
  const job = await server.call<{ id: string }>('POST', path, request);
  await until(
    async () => {
      const { state } = await server.call<{ state: string }>('GET', `/api/v1/jobs/${job.id}`);
      if (state === 'failed') throw new Error('The variant could not be made.');
      return state === 'done';
    },
    'the variant',
    400,
  );
  const made = await largestOf(server, modelId);
  if (!made) throw new Error('No variant was made.');
  return made;
}

async function largestOf(server: Server, modelId: string): Promise<Variant | null> {
  const { candidates } = await server.call<{ candidates: { artifact: Variant['artifact'] }[] }>(
    'GET',
    `/api/v1/models/${modelId}/candidates`,
  );
  const [artifact] = candidates.map(({ artifact }) => artifact).sort((a, b) => b.bytes - a.bytes);
  return artifact ? { modelId, artifact } : null;
}

/** Plan, release and rollout for one fleet, started. @returns the rollout's id */
export async function roll(
  server: Server,
  modelId: string,
  fleet: string,
  percents: readonly number[],
  deviceDeadlineSeconds = 120,
): Promise<string> {
  const plan = await server.call<{ id: string }>('POST', '/api/v1/plans', {
    modelId,
    selector: `fleet=${fleet}`,
  });
  const release = await server.call<{ id: string }>('POST', '/api/v1/releases', {
    modelId,
    planId: plan.id,
  });
  const { id } = await server.call<{ id: string }>('POST', '/api/v1/rollouts', {
    releaseId: release.id,
    planId: plan.id,
    stages: percents.map((percent) => ({ percent })),
    gate: { maxFailedShare: 0.25, minSample: 1 },
    soakSeconds: 0,
    deviceDeadlineSeconds,
    maxInFlight: 10_000,
  });
  await server.call('POST', `/api/v1/rollouts/${id}/start`, { why: 'measuring' });
  return id;
}

function randomModel(): Uint8Array {
  const normal = generator(1);
  const layers = WIDTHS.slice(1).map((cout, at) => {
    const cin = WIDTHS[at] ?? 1;
    const scale = Math.sqrt(2 / cin);
    return { cin, cout, weight: Float32Array.from({ length: cin * cout }, () => normal() * scale) };
  });
  return writeModel(
    buildModel({
      inputs: [{ name: 'x', shape: ['N', WIDTHS[0]] }],
      outputs: [{ name: 'y', shape: ['N', WIDTHS[2]] }],
      initializers: Object.fromEntries(
        layers.map(({ cin, cout, weight }, at) => [`w${at}`, floatTensor([cin, cout], weight)]),
      ),
      nodes: [
        { op: 'Gemm', inputs: ['x', 'w0'], outputs: ['h0'] },
        { op: 'Relu', inputs: ['h0'], outputs: ['a0'] },
        { op: 'Gemm', inputs: ['a0', 'w1'], outputs: ['y'] },
      ],
    }),
  );
}

function randomData(): Uint8Array {
  const normal = generator(2);
  const [width] = WIDTHS;
  const x = Float32Array.from({ length: SAMPLES * width }, normal);
  return writeNpz({
    x: { dims: [SAMPLES, width], dtype: 'float32', data: x },
    y: {
      dims: [SAMPLES],
      dtype: 'int32',
      data: Int32Array.from({ length: SAMPLES }, (_, k) => k % 10),
    },
  });
}

/** Values that are nearly normal: sums of uniforms from a linear congruential generator. */
function generator(seed: number): () => number {
  let state = seed;
  const uniform = (): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return () => Array.from({ length: 12 }, uniform).reduce((sum, value) => sum + value, -6);
}

const blobOf = (bytes: Uint8Array): Blob => new Blob([Buffer.from(bytes)]);
