import { openDataset, parseCard } from '@espalier/dataset';
import {
  edit,
  floatTensor,
  graphOf,
  type Model,
  readModel,
  toFloat32,
  writeModel,
} from '@espalier/onnx';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import {
  agreement,
  classesOf,
  logProbabilities,
  meanKl,
  meanSquaredError,
  outputsOf,
} from '../../src/evaluate.js';
import { prepareModel } from '../../src/prepare/index.js';
import { calibrateActivations } from '../../src/quantization/calibrate-activations.js';
import { fitLayers } from '../../src/quantization/fit-layers.js';
import { candidateIslands, withIslands } from '../../src/quantization/islands.js';
import { plainGemm } from '../../src/quantization/plain-gemm.js';
import { planQuantization } from '../../src/quantization/plan.js';
import {
  describeProcessor,
  measureInt8Products,
  quantizeModel,
  raiseOpset,
} from '../../src/quantization/index.js';
import { samplesFor } from '../../src/statistics/samples.js';
import {
  fusedLayers,
  integerWeights,
  NETWORKS,
  NetworkBuilder,
  randomSamples,
  withContext,
} from './networks.js';

const values = { kind: 'values' } as const;
const root = path.resolve(import.meta.dirname, '../../../..');

async function relativeError(
  model: Model,
  int8: Model,
  samples = randomSamples(64, 99),
): Promise<number> {
  const indices = Array.from({ length: samples.count }, (_, i) => i);
  const before = await outputsOf(model, samples, indices, { threads: 1 });
  const after = await outputsOf(int8, samples, indices, { threads: 1 });
  const mean = before.rows.reduce((a, b) => a + b, 0) / before.rows.length;
  const flat = { width: before.width, rows: before.rows.map(() => mean) };
  return meanSquaredError(before, after) / meanSquaredError(before, flat);
}

async function codeOf(action: () => Promise<unknown>): Promise<unknown> {
  try {
    await action();
  } catch (error) {
    return (error as { code?: unknown }).code;
  }
  return 'none';
}

describe('quantizeModel on networks with every joint', () => {
  for (const [name, { model, floatLayers }] of Object.entries(NETWORKS)) {
    it(`runs ${name} on integer kernels and gives nearly the same`, async () => {
      const fixed = typeof graphOf(model).inputs[0]?.shape[0] === 'number';
      const samples = randomSamples(240, 5, fixed ? 5 : 16, fixed);
      const prepared = prepareModel(model);
      const result = await withContext(samples, values, (context) =>
        quantizeModel(prepared, context, { isaSafe: false }),
      );
      const fusion = await fusedLayers(readModel(writeModel(result.model)));
      expect(fusion.float).toHaveLength(floatLayers);
      expect(result.islands).toHaveLength(floatLayers);
      expect(fusion.integer).toBeGreaterThanOrEqual(2);
      const other = randomSamples(50, 99, fixed ? 5 : 16, fixed);
      expect(await relativeError(prepared, result.model, other)).toBeLessThan(2e-3);
      for (const { zeroPoint, bias } of integerWeights(result.model)) {
        expect(new Set(zeroPoint)).toEqual(new Set([0]));
        if (bias) expect(bias.every((b) => Math.abs(b) <= 2 ** 30)).toBe(true);
      }
    });
  }

  it('gives the same bytes for the same seed', async () => {
    const { model } = NETWORKS['grouped Conv and channel shuffle']!;
    const run = (): Promise<Uint8Array> =>
      withContext(randomSamples(64, 5), values, async (context) =>
        writeModel((await quantizeModel(model, context, { isaSafe: true })).model),
      );
    expect(Buffer.from(await run()).equals(Buffer.from(await run()))).toBe(true);
  });

  it('keeps a stage only where held-out samples are better for it', async () => {
    const { model } = NETWORKS['concatenation and pools']!;
    const { stages } = await withContext(randomSamples(64, 5), values, (context) =>
      quantizeModel(model, context, { isaSafe: false }),
    );
    const [first, ...later] = stages.map((stage) => ({
      value: 'meanKl' in stage ? stage.meanKl : stage.meanSquaredError,
      kept: stage.kept,
    }));
    let best = first!.value;
    for (const { value, kept } of later) {
      expect(kept).toBe(value < best);
      if (kept) best = value;
    }
  });
});

describe('quantizeModel on the example', () => {
  const file = (name: string): Buffer => readFileSync(path.join(root, 'examples', name));
  const bytes = file('fashion-mobilenetv2.onnx');
  const model = prepareModel(readModel(bytes));
  const card = parseCard(JSON.parse(file('fashion-mobilenetv2.json').toString()) as unknown);
  const calibration = samplesFor(model, openDataset(file('fashion-calibration.npz')), card);
  const evaluation = openDataset(file('fashion-evaluation.npz'));

  it('keeps accuracy within 0.75 points at 0.36 of the bytes, safe for any x86', async () => {
    const {
      model: int8,
      islands,
      numerics,
    } = await withContext(calibration, { kind: 'logits' }, (context) =>
      quantizeModel(model, context, { isaSafe: true }),
    );
    expect(islands).toEqual([]);
    expect(numerics).toMatchObject({ activation: 'uint8', weight: 'int8', isaSafe: true });
    expect(await fusedLayers(int8)).toEqual({ integer: 23, float: [] });
    expect(writeModel(int8).length).toBeLessThan(0.36 * bytes.length);
    const samples = samplesFor(model, evaluation, card);
    const all = Array.from({ length: samples.count }, (_, i) => i);
    const before = await outputsOf(model, samples, all, { threads: 2 });
    const after = await outputsOf(int8, samples, all, { threads: 2 });
    const labels = evaluation.y ?? [];
    const drop = agreement(classesOf(before), labels) - agreement(classesOf(after), labels);
    expect(drop).toBeLessThan(0.0075);
    const [p, q] = [logProbabilities(before, 'logits'), logProbabilities(after, 'logits')];
    expect(meanKl(p, q, before.width)).toBeLessThan(1e-3);
    for (const layer of integerWeights(int8)) expect(largestPair(layer)).toBeLessThanOrEqual(128);
  }, 120_000);
});

/** Largest magnitude of the sum of two weights that follow each other along the reduction. */
function largestPair({
  dims,
  outputAxis,
  data,
}: ReturnType<typeof integerWeights>[number]): number {
  const outputs = dims[outputAxis] ?? 1;
  const columns = data.length / outputs;
  const at = (o: number, k: number): number =>
    data[outputAxis === 0 ? o * columns + k : k * outputs + o] ?? 0;
  const taps = dims.slice(2).reduce((a, b) => a * b, 1);
  const channels = columns / taps;
  const channelsLast = (k: number): number => (k % channels) * taps + Math.floor(k / channels);
  let largest = 0;
  for (let o = 0; o < outputs; o++) {
    for (let k = 0; k + 1 < columns; k++) {
      largest = Math.max(
        largest,
        Math.abs(at(o, k) + at(o, k + 1)),
        Math.abs(at(o, channelsLast(k)) + at(o, channelsLast(k + 1))),
      );
    }
  }
  return largest;
}

describe('what weights must keep to', () => {
  const { model } = NETWORKS['inverted residuals with ReLU6']!;

  it('keeps adjacent weights within 128 on every layer when asked, and not otherwise', async () => {
    const of = (isaSafe: boolean): Promise<number[]> =>
      withContext(randomSamples(64, 5), values, async (context) => {
        const { model: int8 } = await quantizeModel(model, context, { isaSafe });
        return integerWeights(int8).map(largestPair);
      });
    expect(Math.max(...(await of(true)))).toBeLessThanOrEqual(128);
    expect(Math.max(...(await of(false)))).toBeGreaterThan(128);
  });

  it('keeps zero weights at zero when asked', async () => {
    const editor = edit(model);
    for (const [name, tensor] of graphOf(model).initializers) {
      if (!name.endsWith('_w')) continue;
      const data = Float32Array.from(tensor.data as Float32Array, (w, i) => (i % 3 === 0 ? 0 : w));
      editor.setInitializer(name, floatTensor(tensor.dims, data));
    }
    const sparse = editor.done();
    const { model: int8 } = await withContext(randomSamples(64, 5), values, (context) =>
      quantizeModel(sparse, context, { isaSafe: true, keepZeros: true }),
    );
    for (const { data } of integerWeights(int8))
      expect(data.every((w, i) => i % 3 !== 0 || w === 0)).toBe(true);
    expect(await relativeError(sparse, int8)).toBeLessThan(2e-3);
  });

  it('holds biases that are huge beside their weights', async () => {
    const small = new NetworkBuilder(1)
      .conv('x', 'a', [4, 3, 1])
      .conv('a', 'b', [4, 4, 1])
      .pool('b', 'y');
    small.constant('a_w', floatTensor([4, 3, 1, 1], new Float32Array(12).fill(1e-9)));
    small.constant('a_b', floatTensor([4], [1000, -1000, 0.5, 0]));
    const steep = small.model(13);
    const { model: int8 } = await withContext(randomSamples(64, 5), values, (context) =>
      quantizeModel(steep, context, { isaSafe: false }),
    );
    const samples = randomSamples(8, 3);
    const [before, after] = await Promise.all(
      [steep, int8].map((m) => outputsOf(m, samples, [0, 1, 2, 3], { threads: 1 })),
    );
    before!.rows.forEach((value, i) =>
      expect(Math.abs(value - after!.rows[i]!)).toBeLessThan(0.01 * Math.abs(value) + 5),
    );
    const biases = integerWeights(int8).map(({ bias }) => bias!);
    expect(biases.every((bias) => bias.every((b) => Math.abs(b) <= 2 ** 30))).toBe(true);
  });
});

describe('islands', () => {
  for (const [name, { model: plain, floatLayers }] of Object.entries(NETWORKS)) {
    it(`stay in float alone, whichever they are, in ${name}`, async () => {
      const model = plainGemm(raiseOpset(prepareModel(plain)));
      const fixed = typeof graphOf(model).inputs[0]?.shape[0] === 'number';
      const samples = randomSamples(10, 5, 5, fixed);
      const plan = planQuantization(model, new Set());
      const activations = await calibrateActivations(plan, samples, [0, 1, 2, 3, 4], {
        threads: 1,
      });
      const options = { isaSafe: false, keepZeros: false, rounding: 'nearest' } as const;
      const parameters = { activations, layers: fitLayers(plan, activations, undefined, options) };
      const islands = candidateIslands(plan);
      expect(islands.length).toBeGreaterThan(0);
      for (const island of islands) {
        const fusion = await fusedLayers(withIslands(plan, parameters, new Set(island))!);
        expect([island, fusion.float.length]).toEqual([island, island.length + floatLayers]);
        expect(fusion.integer).toBe(plan.layers.length - island.length);
      }
    });
  }

  it('leaves the layer in float that reads two very different ranges at once', async () => {
    const loud = new NetworkBuilder(3)
      .conv('x', 'a', [8, 3, 3])
      .add('Relu', ['a'], ['ar'])
      .conv('ar', 'b', [8, 8, 3])
      .add('Sigmoid', ['b'], ['quiet'])
      .conv('ar', 'c', [8, 8, 3])
      .constant('c_w', new NetworkBuilder(4).tensor([8, 8, 3, 3], 400))
      .add('Softplus', ['c'], ['loud'])
      .add('Concat', ['loud', 'quiet'], ['k'], { axis: { int: 1 } })
      .conv('k', 'd', [10, 16, 1])
      .pool('d', 'y');
    // The loud channels set the range of the joint tensor, the quiet ones what comes of it.
    const weights = toFloat32(new NetworkBuilder(5).tensor([10, 16, 1, 1], 1));
    loud.constant(
      'd_w',
      floatTensor(
        [10, 16, 1, 1],
        weights.map((w, i) => (i % 16 < 8 ? 0 : w)),
      ),
    );
    const model = loud.model(13);
    const {
      model: int8,
      islands,
      stages,
    } = await withContext(randomSamples(96, 5), values, (context) =>
      quantizeModel(model, context, { isaSafe: false }),
    );
    expect(islands).toEqual(['Conv_7']);
    expect(stages.at(-1)).toMatchObject({ name: 'islands', kept: true });
    const fusion = await fusedLayers(int8);
    expect(fusion.integer).toBe(3);
    expect(fusion.float).toHaveLength(1);
    expect(await relativeError(model, int8)).toBeLessThan(5e-3);
  });
});

describe('what cannot be quantized', () => {
  const quantize = (model: Model, signal?: AbortSignal, held = true): Promise<unknown> =>
    codeOf(() =>
      withContext(randomSamples(32, 5), values, (context) =>
        quantizeModel(
          model,
          {
            ...context,
            heldOut: held ? context.heldOut : [],
            settings: { ...context.settings, signal },
          },
          { isaSafe: false },
        ),
      ),
    );
  const { model } = NETWORKS['inverted residuals with ReLU6']!;

  it('refuses a model without float layers, values that are not finite, and no held-out samples', async () => {
    const plain = new NetworkBuilder(1).add('Relu', ['x'], ['y']).model(13);
    expect(await quantize(plain)).toBe('COMPRESS_NOT_FLOAT');
    const broken = new NetworkBuilder(1).conv('x', 'a', [4, 3, 1]).pool('a', 'y');
    broken.constant('a_b', floatTensor([4], [NaN, 0, 0, 0]));
    expect(await quantize(broken.model(13))).toBe('COMPRESS_NOT_FINITE');
    expect(await quantize(model, undefined, false)).toBe('COMPRESS_CALIBRATION');
  });

  it('stops when cancelled', async () => {
    expect(await quantize(model, AbortSignal.abort())).toBe('COMPRESS_CANCELLED');
  });
});

it('measures how this processor multiplies int8, and says so', async () => {
  const products = await measureInt8Products();
  expect(['exact', 'saturating']).toContain(products);
  expect(await describeProcessor()).toContain(products === 'exact' ? 'exact' : 'saturate');
});
