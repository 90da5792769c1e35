import { readFileSync } from 'node:fs';
import { openDataset, parseCard, seededRandom } from '@espalier/dataset';
import {
  buildModel,
  floatTensor,
  graphOf,
  type Model,
  readModel,
  type Tensor,
} from '@espalier/onnx';
import { agreement, classesOf, meanSquaredError, outputsOf } from '../evaluate.js';
import { prepareModel } from '../prepare/index.js';
import { GramEngine } from '../statistics/gram.js';
import { type Samples, samplesFor } from '../statistics/samples.js';
import { pruneModelByMagnitude } from './magnitude-baseline.js';
import { pruneWeights, type SparsityContext } from './obs-sparsity.js';

const example = (name: string): Buffer =>
  readFileSync(new URL(`../../../../examples/fashion-${name}`, import.meta.url));

const model = prepareModel(readModel(example('mobilenetv2.onnx')));
const card = parseCard(JSON.parse(example('mobilenetv2.json').toString()));
const calibration = samplesFor(model, openDataset(example('calibration.npz')), card);
const evaluation = samplesFor(model, openDataset(example('evaluation.npz')), card);
const settings = { threads: 2, seed: 1 };

let engine: GramEngine;
let context: SparsityContext;
beforeAll(async () => {
  engine = await GramEngine.open(2);
  context = {
    samples: calibration,
    indices: Array.from({ length: 128 }, (_, i) => i),
    engine,
    settings,
    output: { task: 'classification', kind: 'logits' },
  };
});
afterAll(() => engine.release());

describe('weight pruning with reconstruction', () => {
  it('makes exactly the wanted share zero, keeps every shape, and loses less than magnitude', async () => {
    const { model: pruned, masks } = await pruneWeights(model, 0.5, context);
    const [weights, zeros] = [zerosOf(model), zerosOf(pruned)];
    expect(zeros.zeros / zeros.weights).toBeCloseTo(0.5, 3);
    expect(zeros.shapes).toEqual(weights.shapes);
    expect(masks.reduce((sum, mask) => sum + mask.zeros, 0)).toBe(zeros.zeros);
    const [dense, byObs, byMagnitude] = [
      await accuracy(model),
      await accuracy(pruned),
      await accuracy(pruneModelByMagnitude(model, 0.5)),
    ];
    expect(dense - byObs).toBeLessThan(0.015);
    expect(byObs - byMagnitude).toBeGreaterThan(0.02);
  }, 120_000);

  it('prunes grouped, transposed and biasless layers alike, the same each time', async () => {
    const network = everyKind();
    const small: SparsityContext = {
      ...context,
      samples: noise(48, [4, 6, 6]),
      indices: Array.from({ length: 48 }, (_, i) => i),
      output: { task: 'regression', kind: 'logits' },
    };
    const [one, two] = [
      await pruneWeights(network, 0.4, small),
      await pruneWeights(network, 0.4, small),
    ];
    expect(two.masks).toEqual(one.masks);
    expect(valuesOf(two.model)).toEqual(valuesOf(one.model));
    const { weights, zeros, shapes } = zerosOf(one.model);
    expect(zeros).toBe(Math.round(0.4 * weights));
    expect(shapes).toEqual(zerosOf(network).shapes);
    expect(one.masks.filter((mask) => mask.zeros > 0).length).toBeGreaterThan(3);
    const all = small.indices;
    const [before, after] = [
      await outputsOf(network, small.samples, all, settings),
      await outputsOf(one.model, small.samples, all, settings),
    ];
    const byMagnitude = await outputsOf(
      pruneModelByMagnitude(network, 0.4),
      small.samples,
      all,
      settings,
    );
    expect(meanSquaredError(before, after)).toBeLessThan(meanSquaredError(before, byMagnitude));
  });

  it('stops with a code when it is cancelled', async () => {
    const signal = AbortSignal.abort();
    const cancelled = { ...context, settings: { ...settings, signal } };
    await expect(pruneWeights(model, 0.5, cancelled)).rejects.toMatchObject({
      code: 'COMPRESS_CANCELLED',
    });
  });
});

/** A residual network with a plain, a grouped, a transposed and a depthwise convolution and a MatMul. */
function everyKind(): Model {
  const { normal } = seededRandom(5);
  const random = (...dims: number[]): Tensor =>
    floatTensor(
      dims,
      Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, () => 0.4 * normal()),
    );
  const same = { pads: { ints: [1, 1, 1, 1] } };
  return buildModel({
    inputs: [{ name: 'x', shape: ['N', 4, 6, 6] }],
    outputs: [{ name: 'y', shape: ['N', 5] }],
    nodes: [
      { op: 'Conv', inputs: ['x', 'w0', 'b0'], outputs: ['c0'], attributes: same },
      { op: 'Relu', inputs: ['c0'], outputs: ['r0'] },
      {
        op: 'Conv',
        inputs: ['r0', 'w1'],
        outputs: ['c1'],
        attributes: { ...same, group: { int: 2 } },
      },
      { op: 'Relu', inputs: ['c1'], outputs: ['r1'] },
      {
        op: 'Conv',
        inputs: ['r1', 'w2', 'b2'],
        outputs: ['c2'],
        attributes: { ...same, group: { int: 8 } },
      },
      { op: 'ConvTranspose', inputs: ['c2', 'w3'], outputs: ['c3'], attributes: same },
      { op: 'Add', inputs: ['c3', 'r0'], outputs: ['a'] },
      { op: 'GlobalAveragePool', inputs: ['a'], outputs: ['g'] },
      { op: 'Flatten', inputs: ['g'], outputs: ['f'] },
      { op: 'MatMul', inputs: ['f', 'w4'], outputs: ['y'] },
    ],
    initializers: {
      w0: random(8, 4, 3, 3),
      b0: random(8),
      w1: random(8, 4, 3, 3),
      w2: random(8, 1, 3, 3),
      b2: random(8),
      w3: random(8, 8, 3, 3),
      w4: random(8, 5),
    },
  });
}

function noise(count: number, dims: readonly number[]): Samples {
  const { normal } = seededRandom(9);
  const size = dims.reduce((a, b) => a * b, 1);
  const data = Float32Array.from({ length: count * size }, normal);
  return {
    count,
    batch: 16,
    fixedBatch: false,
    labels: undefined,
    feed: (indices) => ({
      x: floatTensor(
        [indices.length, ...dims],
        Float32Array.from(indices.flatMap((i) => [...data.subarray(i * size, (i + 1) * size)])),
      ),
    }),
  };
}

const layersOf = (of: Model): { dims: readonly number[]; data: Float32Array }[] => {
  const graph = graphOf(of);
  return graph.nodes
    .filter(({ op }) => ['Conv', 'ConvTranspose', 'Gemm', 'MatMul'].includes(op))
    .flatMap(({ inputs }) => {
      const weight = graph.constant(inputs[1] ?? '');
      return weight ? [{ dims: weight.dims, data: weight.data as Float32Array }] : [];
    });
};

const valuesOf = (of: Model): number[][] => layersOf(of).map(({ data }) => [...data]);

function zerosOf(of: Model): { weights: number; zeros: number; shapes: (readonly number[])[] } {
  const layers = layersOf(of);
  const all = layers.flatMap(({ data }) => [...data]);
  return {
    weights: all.length,
    zeros: all.filter((w) => w === 0).length,
    shapes: layers.map(({ dims }) => dims),
  };
}

async function accuracy(of: Model): Promise<number> {
  const indices = Array.from({ length: 1000 }, (_, i) => i);
  const classes = classesOf(await outputsOf(of, evaluation, indices, settings));
  return agreement(
    classes,
    indices.map((i) => evaluation.labels?.[i] ?? -1),
  );
}
