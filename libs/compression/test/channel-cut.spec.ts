import { seededRandom } from '@espalier/dataset';
import { floatTensor, graphOf, type Model, openSession } from '@espalier/onnx';
import fc from 'fast-check';
import {
  buildChannelGraph,
  type ChannelGraph,
  partsToKeep,
} from '../src/channels/channel-graph.js';
import { cutChannels } from '../src/channels/cut.js';
import { prepareModel } from '../src/prepare/index.js';
import { maskChannels } from './masking.js';
import { FEATURES, type Feature, randomNetwork, type RandomNetwork } from './random-network.js';

const RUNS = 400;
const TOLERANCE = 1e-4;

async function outputOf(
  model: Model,
  network: RandomNetwork,
  batch: number,
): Promise<Float32Array> {
  const random = seededRandom(batch);
  const dims = network.inputDims(batch);
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () =>
    random.normal(),
  );
  const session = await openSession(model, { optimization: 'basic' });
  try {
    const out = await session.run({ input: floatTensor(dims, data) });
    return Object.values(out)[0]!.data as Float32Array;
  } finally {
    await session.release();
  }
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  const scale = a.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - b[i]!)), 0) / scale;
}

/** A random part of each group's units, never all of them. */
function randomRemoval(channels: ChannelGraph, seed: number): Set<number> {
  const random = seededRandom(seed);
  const removed = new Set<number>();
  for (const { units } of channels.groups) {
    const most = Math.floor(units.length / 2);
    for (const unit of random.shuffle(units).slice(0, random.integer(most + 1)))
      removed.add(unit.root);
  }
  for (const part of partsToKeep(channels)) {
    const roots = Array.from(part, (id) => channels.rootOf(id));
    if (roots.every((root) => removed.has(root))) removed.delete(roots[0]!);
  }
  return removed;
}

describe('cutting channels of random networks', () => {
  const seen = new Map<Feature, number>(FEATURES.map((feature) => [feature, 0]));
  let [constructed, offered] = [0, 0];

  it('computes what the dense model with those channels masked does, at two batch sizes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 30 }), async (seed) => {
        const network = randomNetwork(seed);
        for (const feature of network.features) seen.set(feature, seen.get(feature)! + 1);
        const channels = buildChannelGraph(prepareModel(network.model));
        const names = new Set(
          channels.groups.filter(({ units }) => units.length > 1).map(({ name }) => name),
        );
        const coupled = new Set(channels.labels.keys());
        constructed += network.prunable.length;
        offered += network.prunable.filter(
          (name) => names.has(name) || isCoupled(channels, name, coupled),
        ).length;
        const removed = randomRemoval(channels, seed);
        const [cut, masked] = [cutChannels(channels, removed), maskChannels(channels, removed)];
        for (const batch of [1, 3]) {
          const difference = largestDifference(
            await outputOf(masked, network, batch),
            await outputOf(cut, network, batch),
          );
          expect(difference).toBeLessThan(TOLERANCE);
        }
      }),
      { numRuns: RUNS, seed: 20_261, endOnFailure: true },
    );
  }, 240_000);

  it('met every construction often', () => {
    for (const feature of ['fan-out', 'concat', 'flatten', 'shuffle', 'grouped'] as const) {
      expect({ feature, often: seen.get(feature)! >= 50 }).toEqual({ feature, often: true });
    }
    expect([...seen].filter(([, count]) => count === 0)).toEqual([]);
  });

  it('offers at least 95 % of the producers that can be cut by construction', () => {
    expect(offered / constructed).toBeGreaterThanOrEqual(0.95);
  });
});

/** Whether a producer's channels can go with another's, or were renamed by a folded normalisation. */
function isCoupled(channels: ChannelGraph, name: string, labelled: ReadonlySet<string>): boolean {
  const tensor = labelled.has(name) ? name : renamed(channels, name);
  const labels = tensor === undefined ? undefined : channels.labels.get(tensor);
  const roots = new Set(channels.groups.flatMap(({ units }) => units.map(({ root }) => root)));
  return labels ? Array.from(labels.ids).some((id) => roots.has(channels.rootOf(id))) : false;
}

function renamed(channels: ChannelGraph, name: string): string | undefined {
  return graphOf(channels.model).nodes.find((node) => node.name === `n_${name}`)?.outputs[0];
}
