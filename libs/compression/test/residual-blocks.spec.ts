import { seededRandom } from '@espalier/dataset';
import { countModel, edit, floatTensor, graphOf, type Model, openSession } from '@espalier/onnx';
import { buildChannelGraph } from '../src/channels/channel-graph.js';
import { dropBlocks, residualBlocks } from '../src/channels/residual-blocks.js';
import { prepareModel } from '../src/prepare/index.js';
import { sizeTable } from '../src/search/size-table.js';
import { denseWidths, modelAt, type Space } from '../src/search/widths.js';
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
    for (const { space } of cases) {
      const sizes = sizeTable(space);
      const widths = denseWidths(space).map((width, i) => {
        if (i >= space.groups.length) return random.integer(2);
        return Math.max(1, width - random.integer(Math.ceil(width / 2)));
      });
      let made: Model;
      try {
        made = modelAt(space, widths);
      } catch {
        continue; // an order made without regard to parts may empty one
      }
      expect(sizes.macs(widths)).toBe(countModel(made).macs);
    }
  });
});
