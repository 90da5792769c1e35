import { seededRandom } from '@espalier/dataset';
import { countModel, edit, floatTensor, graphOf, type Model, openSession } from '@espalier/onnx';
import { buildChannelGraph } from '../src/channels/channel-graph.js';
import { dropBlocks, residualBlocks } from '../src/channels/residual-blocks.js';
import { meanSquaredError, type Outputs, outputsOf } from '../src/evaluate.js';
import { prepareModel } from '../src/prepare/index.js';
import { sizeTable } from '../src/search/size-table.js';
import { denseWidths, modelAt, type Space } from '../src/search/widths.js';
import { collectDense } from '../src/statistics/dense.js';
import { GramEngine } from '../src/statistics/gram.js';
import { samplesFor } from '../src/statistics/samples.js';
import { refitLayers } from '../src/structure/refit.js';
import { images } from './images.js';
import { randomNetwork } from './random-network.js';

const NETWORKS = 150;

interface Case {
  readonly space: Space;
  readonly inputDims: (batch: number) => number[];
}

/** Random networks that have residual blocks, prepared, with orders that are as good as any. */
const cases: Case[] = Array.from({ length: NETWORKS }, (_, seed) => {
  const { model, inputDims } = randomNetwork(seed);
  const channels = buildChannelGraph(prepareModel(model));
  const groups = channels.groups
    .filter(({ units }) => units.length > 1)
    .map((group) => ({ group, roots: group.units.map(({ root }) => root), least: 1 }));
  return { space: { channels, groups, blocks: residualBlocks(channels) }, inputDims };
}).filter(({ space }) => space.blocks.length > 0);

/** The model with a block's branch times zero at the sum. */
function silenced(model: Model, sum: string, shortcut: string): Model {
  const editor = edit(model);
  const add = graphOf(model).producer(sum)!;
  const at = add.inputs[0] === shortcut ? 1 : 0;
  editor.setInitializer('nothing', floatTensor([1], Float32Array.of(0)));
  editor.addNode(
    { op: 'Mul', inputs: [add.inputs[at]!, 'nothing'], outputs: ['silent'] },
    { before: add },
  );
  editor.replaceInput(add, at, 'silent');
  return editor.done();
}

async function run(model: Model, dims: number[]): Promise<Float32Array> {
  const session = await openSession(model);
  const random = seededRandom(5);
  const data = Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => random.next());
  const out = await session.run({ [session.inputNames[0]!]: floatTensor(dims, data) });
  await session.release();
  return out[session.outputNames[0]!]!.data as Float32Array;
}

describe('taking residual blocks out', () => {
  it('finds blocks in most networks that are grown with residual sums', () => {
    expect(cases.length).toBeGreaterThan(NETWORKS / 4);
  });

  it('leaves what the model computes with the branch silent, at two batch sizes', async () => {
    for (const { space, inputDims } of cases) {
      const { model } = space.channels;
      for (const block of space.blocks) {
        const dropped = dropBlocks(model, [block]);
        const silent = silenced(model, block.name, block.shortcut);
        for (const batch of [1, 3]) {
          const [a, b] = [
            await run(dropped, inputDims(batch)),
            await run(silent, inputDims(batch)),
          ];
          const scale = Math.max(...b.map(Math.abs), 1e-3);
          a.forEach((value, i) => {
            expect(Math.abs(value - b[i]!)).toBeLessThanOrEqual(1e-4 * scale);
          });
        }
      }
    }
  }, 120_000);

  it('counts a model without a block, and cut besides, as it is once made', () => {
    const random = seededRandom(11);
    let made = 0;
    for (const { space } of cases) {
      const sizes = sizeTable(space);
      const widths = denseWidths(space).map((width, i) => {
        if (i >= space.groups.length) return random.integer(2);
        return Math.max(1, width - random.integer(Math.ceil(width / 2)));
      });
      let model: Model;
      try {
        model = modelAt(space, widths);
      } catch (error) {
        // Orders made without regard to the parts of a group may empty one.
        expect(error).toMatchObject({ code: 'COMPRESS_EMPTY_CUT' });
        continue;
      }
      made++;
      expect(sizes.macs(widths)).toBe(countModel(model).macs);
    }
    expect(made).toBeGreaterThan(cases.length / 2);
  });

  it('lets the layers after it make up for a block, on samples that they were not fitted on', async () => {
    const engine = await GramEngine.open(2);
    const settings = { threads: 2, seed: 1 };
    const indices = Array.from({ length: 96 }, (_, i) => i);
    let [tried, lower] = [0, 0];
    for (const [at, { space, inputDims }] of cases.slice(0, 12).entries()) {
      const { channels, blocks } = space;
      const dims = inputDims(1).slice(1);
      const fitted = samplesFor(channels.model, images(dims, 96, at), undefined);
      const unseen = samplesFor(channels.model, images(dims, 32, at + 1000), undefined);
      const dense = await collectDense(channels, fitted, indices, engine, settings);
      const dropped = blocks.slice(0, 1);
      const cut = dropBlocks(channels.model, dropped);
      const context = { channels, dense, samples: fitted, indices, engine, settings };
      const { model, fits } = await refitLayers(cut, new Set(), dropped, context);
      expect(fits.length).toBeGreaterThan(0);
      const outputs = (of: Model): Promise<Outputs> =>
        outputsOf(of, unseen, indices.slice(0, 32), settings);
      const wanted = await outputs(channels.model);
      const [was, is] = [
        meanSquaredError(wanted, await outputs(cut)),
        meanSquaredError(wanted, await outputs(model)),
      ];
      tried++;
      if (is < was) lower++;
    }
    await engine.release();
    expect(lower / tried).toBeGreaterThanOrEqual(0.9);
  }, 120_000);
});
