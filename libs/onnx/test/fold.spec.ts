/** @jest-environment ./libs/onnx/test/ort-environment.mjs */
import {
  buildModel,
  countModel,
  floatTensor,
  foldConstants,
  graphOf,
  int64Tensor,
  int8Tensor,
  openSession,
  readModel,
  scalar,
  writeModel,
  type Model,
  type Tensor,
} from '../src/index.js';
import { feedsFor } from './against-ort.js';
import { realModels } from './models.js';

async function run(model: Model, batch: number): Promise<Record<string, Tensor>> {
  const session = await openSession(model, { optimization: 'disabled' });
  try {
    return await session.run(feedsFor(model, batch));
  } finally {
    await session.release();
  }
}

const dynamic = buildModel({
  inputs: [{ name: 'x', shape: ['N', 3, 4, 4] }],
  initializers: {
    zero: int64Tensor([1], [0]),
    one: int64Tensor([1], [1]),
    rest: int64Tensor([1], [-1]),
    w: floatTensor([2, 3], [1, 2, 3, 4, 5, 6]),
    half: scalar(0.5),
  },
  nodes: [
    { op: 'Shape', inputs: ['x'], outputs: ['shape'] },
    { op: 'Gather', inputs: ['shape', 'zero'], outputs: ['n'] },
    { op: 'Gather', inputs: ['shape', 'one'], outputs: ['c'] },
    { op: 'Concat', inputs: ['n', 'c', 'rest'], outputs: ['to'], attributes: { axis: { int: 0 } } },
    { op: 'Concat', inputs: ['rest', 'c'], outputs: ['flat'], attributes: { axis: { int: 0 } } },
    { op: 'Reshape', inputs: ['x', 'to'], outputs: ['r'] },
    { op: 'ReduceMean', inputs: ['r'], outputs: ['m'], attributes: { axes: { ints: [2] } } },
    { op: 'Reshape', inputs: ['m', 'flat'], outputs: ['f'] },
    { op: 'Transpose', inputs: ['w'], outputs: ['wt'] },
    { op: 'Mul', inputs: ['wt', 'half'], outputs: ['scaled'] },
    { op: 'MatMul', inputs: ['f', 'scaled'], outputs: ['y'] },
  ],
  outputs: [{ name: 'y', shape: ['N', 2] }],
});

describe('foldConstants', () => {
  it('folds what holds for every batch and leaves what depends on it', async () => {
    const folded = foldConstants(dynamic);
    const ops = folded.graph.node.map(({ opType }) => opType);
    expect(ops).toEqual([
      'Shape',
      'Gather',
      'Concat',
      'Reshape',
      'ReduceMean',
      'Reshape',
      'MatMul',
    ]);
    expect(graphOf(folded).constant('flat')?.data).toEqual(BigInt64Array.of(-1n, 3n));
    for (const batch of [1, 2, 5]) {
      expect(await run(folded, batch)).toEqual(await run(dynamic, batch));
    }
  });

  it('is done after one pass', () => {
    const once = foldConstants(dynamic);
    expect(writeModel(foldConstants(once))).toEqual(writeModel(once));
  });

  it.each(realModels().map(({ name, bytes }) => [name, bytes] as const))(
    'keeps the results, costs and dynamic batch of %s',
    async (_, bytes) => {
      const model = readModel(bytes);
      const folded = foldConstants(model);
      expect(folded.graph.node.some(({ opType }) => opType === 'Constant')).toBe(false);
      expect(await run(folded, 3)).toEqual(await run(model, 3));
      const [before, after] = [countModel(model), countModel(folded)];
      expect([after.macs, after.params]).toEqual([before.macs, before.params]);
    },
  );

  it('never folds a DequantizeLinear', () => {
    const model = buildModel({
      inputs: [{ name: 'x', shape: ['N', 2] }],
      initializers: { q: int8Tensor([2, 2], [1, 2, 3, 4]), s: scalar(0.1) },
      nodes: [
        { op: 'DequantizeLinear', inputs: ['q', 's'], outputs: ['w'] },
        { op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] },
      ],
      outputs: [{ name: 'y' }],
    });
    expect(foldConstants(model).graph.node).toHaveLength(2);
  });

  it('does not blow up a file with large constants made from small ones', () => {
    const model = buildModel({
      inputs: [{ name: 'x', shape: [1] }],
      initializers: { big: int64Tensor([2], [1000, 1000]) },
      nodes: [
        { op: 'ConstantOfShape', inputs: ['big'], outputs: ['zeros'] },
        { op: 'Add', inputs: ['x', 'zeros'], outputs: ['y'] },
      ],
      outputs: [{ name: 'y' }],
    });
    expect(foldConstants(model).graph.node).toHaveLength(2);
  });

  it('drops very many nodes that make nothing in one go', () => {
    const model = buildModel({
      inputs: [{ name: 'x', shape: [1, 4] }],
      outputs: [{ name: 'y' }],
      nodes: [
        { op: 'Relu', inputs: ['x'], outputs: ['y'] },
        ...Array.from({ length: 30_000 }, () => ({ op: 'Nothing', inputs: [], outputs: [] })),
      ],
    });
    expect(foldConstants(model).graph.node.map(({ opType }) => opType)).toEqual(['Relu']);
  });
});
