import { seededRandom } from '@espalier/dataset';
import type { Model } from '@espalier/onnx';
import fc from 'fast-check';
import {
  buildChannelGraph,
  type ChannelGraph,
  partsToKeep,
} from '../src/channels/channel-graph.js';
import { cutChannels, positionsKept } from '../src/channels/cut.js';
import { prepareModel } from '../src/prepare/index.js';
import { collectDense, type DenseLayer } from '../src/statistics/dense.js';
import { GramEngine } from '../src/statistics/gram.js';
import { readOutput } from '../src/statistics/patches.js';
import { runOver } from '../src/statistics/run.js';
import { type Samples, samplesFor } from '../src/statistics/samples.js';
import { changedLayers, refitLayers } from '../src/structure/refit.js';
import { images } from './images.js';
import { randomNetwork } from './random-network.js';

const NETWORKS = 16;
const FITTED = 128;
const HELD_OUT = 32;

const settings = { threads: 2, seed: 1 };
const numbers = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Up to half of each group's units, never a whole part. */
function removalOf(channels: ChannelGraph, seed: number): Set<number> {
  const random = seededRandom(seed);
  const removed = new Set<number>();
  for (const { units } of channels.groups) {
    const most = Math.floor(units.length / 2);
    for (const { root } of random.shuffle(units).slice(0, random.integer(most + 1)))
      removed.add(root);
  }
  for (const part of partsToKeep(channels)) {
    const roots = Array.from(part, (id) => channels.rootOf(id));
    if (roots.every((root) => removed.has(root))) removed.delete(roots[0]!);
  }
  return removed;
}

/** What each layer, or the sum that it closes, gives over samples: the kept channels, row by row. */
async function blockOutputs(
  model: Model,
  layers: readonly DenseLayer[],
  kept: (layer: DenseLayer) => readonly number[],
  samples: Samples,
): Promise<number[][]> {
  const rows = layers.map((): number[] => []);
  const targets = [...new Set(layers.map(({ target }) => target))];
  await runOver(model, targets, samples, numbers(HELD_OUT), settings, (tensors, _, count) => {
    layers.forEach((dense, at) => {
      const channels = kept(dense);
      const row = new Float32Array(dense.targetWidth);
      for (let sample = 0; sample < count; sample++) {
        for (let position = 0; position < dense.reader.positions; position++) {
          readOutput(dense.layer, tensors[dense.target]!, sample, position, row, 0);
          for (const channel of channels) rows[at]!.push(row[channel]!);
        }
      }
    });
  });
  return rows;
}

const squaredError = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0);

describe('refitting cut random networks', () => {
  let engine: GramEngine;
  beforeAll(async () => (engine = await GramEngine.open(2)));
  afterAll(() => engine.release());

  it('lowers the error of at least nine blocks of ten on samples that it has not seen', async () => {
    let [blocks, lowered] = [0, 0];
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 2 ** 30 }), async (seed) => {
        const network = randomNetwork(seed);
        const channels = buildChannelGraph(prepareModel(network.model));
        const dims = network.inputDims(1).slice(1);
        const fitted = samplesFor(channels.model, images(dims, FITTED, seed), undefined);
        const unseen = samplesFor(channels.model, images(dims, HELD_OUT, seed + 1), undefined);
        const indices = numbers(FITTED);
        const dense = await collectDense(channels, fitted, indices, engine, settings);
        const removed = removalOf(channels, seed);
        const cut = cutChannels(channels, removed);
        const context = { channels, dense, samples: fitted, indices, engine, settings };
        const { model } = await refitLayers(cut, removed, [], context);

        const layers = changedLayers(channels, removed, []).flatMap(
          ({ output }) => dense.get(output) ?? [],
        );
        const stays = ({ layer }: DenseLayer): number[] =>
          positionsKept(layer.outputIds, (id) => !removed.has(channels.rootOf(id)));
        const all = (layer: DenseLayer): number[] => numbers(stays(layer).length);
        const wanted = await blockOutputs(channels.model, layers, stays, unseen);
        const [before, after] = [
          await blockOutputs(cut, layers, all, unseen),
          await blockOutputs(model, layers, all, unseen),
        ];
        wanted.forEach((rows, at) => {
          const [was, is] = [squaredError(rows, before[at]!), squaredError(rows, after[at]!)];
          expect(before[at]).toHaveLength(rows.length);
          if (was === 0) return;
          blocks++;
          if (is < was) lowered++;
        });
      }),
      { numRuns: NETWORKS, seed: 20_262, endOnFailure: true },
    );
    expect(blocks).toBeGreaterThan(2 * NETWORKS);
    expect(lowered / blocks).toBeGreaterThanOrEqual(0.9);
  }, 180_000);
});
