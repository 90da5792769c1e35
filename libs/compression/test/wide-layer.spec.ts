import { type Dataset, seededRandom } from '@espalier/dataset';
import { buildModel, floatTensor, type Tensor } from '@espalier/onnx';
import { buildChannelGraph } from '../src/channels/channel-graph.js';
import { cutChannels } from '../src/channels/cut.js';
import { collectDense } from '../src/statistics/dense.js';
import { GramEngine } from '../src/statistics/gram.js';
import { samplesFor } from '../src/statistics/samples.js';
import { orderUnits } from '../src/structure/order-units.js';
import { refitLayers } from '../src/structure/refit.js';
import { pruneWeights } from '../src/weights/index.js';

const [CHANNELS, SIZE, SAMPLES] = [32, 8, 96] as const;

const random = seededRandom(3);
const normal = (dims: number[], scale = 1): Tensor =>
  floatTensor(
    dims,
    Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => scale * random.normal()),
  );

/** A Conv whose 32 channels a fully connected layer reads at 64 positions each: 2,048 columns. */
const model = buildModel({
  inputs: [{ name: 'x', shape: ['n', 3, SIZE, SIZE] }],
  outputs: [{ name: 'y', shape: ['n', 6] }],
  initializers: {
    w: normal([CHANNELS, 3, 3, 3], 0.3),
    v: normal([6, CHANNELS * SIZE * SIZE], 0.03),
    b: normal([6]),
  },
  nodes: [
    {
      op: 'Conv',
      inputs: ['x', 'w'],
      outputs: ['h'],
      attributes: { pads: { ints: [1, 1, 1, 1] } },
    },
    { op: 'Relu', inputs: ['h'], outputs: ['r'] },
    { op: 'Flatten', inputs: ['r'], outputs: ['f'] },
    { op: 'Gemm', inputs: ['f', 'v', 'b'], outputs: ['y'], attributes: { transB: { int: 1 } } },
  ],
});

/** Blobs: what a position shows, its neighbours show too. */
function blobs(): Dataset {
  const size = 3 * SIZE * SIZE;
  const data = new Float32Array(SAMPLES * size);
  for (let s = 0; s < SAMPLES; s++) {
    const [row, column, wide] = [random.integer(SIZE), random.integer(SIZE), 4 + random.integer(9)];
    for (let i = 0; i < size; i++) {
      const [y, x] = [Math.floor(i / SIZE) % SIZE, i % SIZE];
      data[s * size + i] =
        Math.exp(-((y - row) ** 2 + (x - column) ** 2) / wide) + 0.02 * random.normal();
    }
  }
  return { count: SAMPLES, x: { dtype: 'float32', dims: [SAMPLES, 3, SIZE, SIZE], data } };
}

/** A Conv of 3x3 that reads 256 channels: 2,304 columns, and as many rows as there are positions. */
const deep = buildModel({
  inputs: [{ name: 'x', shape: ['n', 3, SIZE, SIZE] }],
  outputs: [{ name: 'y', shape: ['n', 6, SIZE, SIZE] }],
  initializers: { w: normal([256, 3, 3, 3], 0.3), v: normal([6, 256, 3, 3], 0.02), b: normal([6]) },
  nodes: [
    {
      ...{ op: 'Conv', inputs: ['x', 'w'], outputs: ['h'] },
      attributes: { pads: { ints: [1, 1, 1, 1] } },
    },
    { op: 'Relu', inputs: ['h'], outputs: ['r'] },
    {
      ...{ op: 'Conv', inputs: ['r', 'v', 'b'], outputs: ['y'] },
      attributes: { pads: { ints: [1, 1, 1, 1] } },
    },
  ],
});

describe('a layer as wide, with many rows', () => {
  it('is refitted to all of them by its Gram in tiles', async () => {
    const engine = await GramEngine.open(1);
    const channels = buildChannelGraph(deep);
    const samples = samplesFor(deep, blobs(), undefined);
    const indices = Array.from({ length: SAMPLES }, (_, i) => i);
    const settings = { threads: 1, seed: 1 };
    const dense = await collectDense(channels, samples, indices, engine, settings);
    const group = orderUnits(channels, channels.groups[0]!, dense);
    const removed = new Set(group.roots.slice(0, 16));
    const { fits } = await refitLayers(cutChannels(channels, removed), removed, [], {
      ...{ channels, dense, samples, indices, engine, settings },
    });
    await engine.release();
    const [fit] = fits.filter(({ layer }) => layer === 'y');
    expect(fit!.errorBefore).toBeGreaterThan(3e-4);
    expect(fit!.errorAfter).toBeLessThan(0.3 * fit!.errorBefore);
  }, 120_000);
});

describe('a layer much wider than its rows', () => {
  let engine: GramEngine;
  beforeAll(async () => (engine = await GramEngine.open(1)));
  afterAll(() => engine.release());

  it('is ordered by what it reads and refitted, without its Gram', async () => {
    const channels = buildChannelGraph(model);
    const samples = samplesFor(model, blobs(), undefined);
    const indices = Array.from({ length: SAMPLES }, (_, i) => i);
    const settings = { threads: 1, seed: 1 };
    const dense = await collectDense(channels, samples, indices, engine, settings);
    expect(dense.get('y')).toMatchObject({ inputs: [], energies: [{ length: 2048 }] });

    const group = orderUnits(channels, channels.groups[0]!, dense);
    const removed = new Set(group.roots.slice(0, CHANNELS / 2));
    const { fits } = await refitLayers(cutChannels(channels, removed), removed, [], {
      ...{ channels, dense, samples, indices, engine, settings },
    });
    const [fit] = fits.filter(({ layer }) => layer === 'y');
    expect(fit!.errorBefore).toBeGreaterThan(0.01);
    expect(fit!.errorAfter).toBeLessThan(0.3 * fit!.errorBefore);
  }, 120_000);

  it('keeps its weights when weights are pruned, and others do not pay for it', async () => {
    const { masks } = await pruneWeights(model, 0.5, {
      ...{ samples: samplesFor(model, blobs(), undefined), engine },
      indices: Array.from({ length: SAMPLES }, (_, i) => i),
      settings: { threads: 1, seed: 1 },
      output: { name: 'y', task: 'regression', kind: 'logits' },
    });
    expect(masks).toEqual([
      { layer: 'h', weights: 27 * CHANNELS, zeros: (27 * CHANNELS) / 2 },
      { layer: 'y', weights: 6 * CHANNELS * SIZE * SIZE, zeros: 0 },
    ]);
  }, 120_000);
});
