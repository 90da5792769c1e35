import { decodeSketch, estimatedAccuracy } from '@espalier/evidence';
import { readFileSync } from 'node:fs';
import { decodeArtifact } from '@espalier/artifact';
import { type Dataset, openDataset, parseCard, prepareBatch } from '@espalier/dataset';
import { countModel, floatTensor, openSession, readModel } from '@espalier/onnx';
import {
  compress,
  type CompressRequest,
  type CompressResult,
  compressionReportSchema,
  CompressionError,
} from '../src/index.js';

const example = (file: string): Buffer =>
  readFileSync(new URL(`../../../examples/${file}`, import.meta.url));

/** The first samples of a data set: enough to test with, fast. */
function head({ x, y }: Dataset, count: number): Dataset {
  const size = x.data.length / x.dims[0]!;
  const data = x.data.slice(0, count * size) as Uint8Array;
  return {
    count,
    x: { ...x, dims: [count, ...x.dims.slice(1)], data },
    ...(y ? { y: y.slice(0, count) } : {}),
  };
}

/** A data set with one bad value in its first sample. */
function withValue({ x, ...rest }: Dataset, value: number): Dataset {
  const data = Float32Array.from(x.data as Uint8Array);
  data[3] = value;
  return { ...rest, x: { dtype: 'float32', dims: [x.dims[0]!, 1, 28, 28], data } };
}

/** As many samples, each value of them the same. */
function constant({ x, ...rest }: Dataset, value: number): Dataset {
  return { ...rest, x: { ...x, data: new Uint8Array(x.data.length).fill(value) } };
}

const model = new Uint8Array(example('fashion-mobilenetv2.onnx'));
const card = parseCard(example('fashion-mobilenetv2.json').toString());
const calibration = head(openDataset(example('fashion-calibration.npz')), 96);
const evaluation = head(openDataset(example('fashion-evaluation.npz')), 400);

const request: CompressRequest = {
  model,
  calibration,
  evaluation,
  card,
  goals: [{ name: 'macs-ratio', target: 0.7 }],
  precision: 'fp32',
  seed: 1,
};

describe('compressing to a share of the multiply-accumulates', () => {
  let result: CompressResult;
  beforeAll(async () => {
    result = await compress(request);
  }, 240_000);

  it('keeps the goal in the written file and loses little', () => {
    const [before, after] = [model, result.model].map((bytes) => countModel(readModel(bytes)).macs);
    expect(after! / before!).toBeLessThanOrEqual(0.7);
    expect(result.goalsMet).toBe(true);
    expect(result.report.variant.macs).toBe(after);
    const { quality } = result.report;
    expect(quality!.before - quality!.after).toBeLessThan(0.025);
  });

  it('reports by the contract, naming the channels that each group keeps', () => {
    expect(compressionReportSchema.parse(result.report)).toEqual(result.report);
    const groups = Object.values(result.report.variant.groups);
    expect(groups.some(({ of, kept }) => kept.length < of)).toBe(true);
    expect(groups.every(({ of, kept }) => kept.length > 0 && kept.every((i) => i < of))).toBe(true);
  });

  it('reports the front that it walked: predictions that fall with the work, and the variant', () => {
    const { front, variant } = result.report;
    const of = (kind: string) => front!.points.filter((point) => point.kind === kind);
    expect(of('variant')).toEqual([expect.objectContaining({ macs: variant.macs })]);
    const predicted = of('predicted').sort((a, b) => a.macs - b.macs);
    expect(predicted.length).toBeGreaterThan(8);
    const losses = predicted.map(({ loss }) => loss);
    expect(losses.at(-1)).toBe(0);
    expect(losses[0]).toBeGreaterThan(losses[Math.floor(losses.length / 2)]!);
  });

  it('writes a file whose accuracy in ONNX Runtime is the reported one', async () => {
    const session = await openSession(result.model);
    const { dims, data } = prepareBatch(evaluation, card, { start: 0, count: evaluation.count }, [
      null,
      1,
      28,
      28,
    ]);
    const out = await session.run({ [session.inputNames[0]!]: floatTensor(dims, data) });
    await session.release();
    const logits = out[session.outputNames[0]!]!.data as Float32Array;
    let right = 0;
    evaluation.y!.forEach((label, i) => {
      const row = Array.from(logits.subarray(i * 10, i * 10 + 10));
      if (row.indexOf(Math.max(...row)) === label) right++;
    });
    expect(result.report.quality!.after).toBeCloseTo(right / evaluation.count, 6);
  });

  it('takes along the sketch that windows of devices are held against', () => {
    const { reference, quality } = result.report;
    expect(reference).toMatchObject({ source: 'evaluation', samples: evaluation.count });
    const sketch = decodeSketch(reference!.sketch);
    expect(sketch.classes.total).toBe(evaluation.count);
    expect(sketch.brightness.total).toBe(evaluation.count);
    expect(reference!.accuracy).toBe(quality!.after);
    const estimate = estimatedAccuracy(sketch, { logOdds: reference!.confidenceThreshold! });
    expect(estimate).toBeCloseTo(quality!.after, 6);
  });

  it('gives the same file for the same seed, whatever the evaluation data', async () => {
    const again = await compress({ ...request, evaluation: head(evaluation, 50) });
    expect(again.report.variant.sha256).toBe(result.report.variant.sha256);
  }, 240_000);

  it('stops when cancelled', async () => {
    const controller = new AbortController();
    const running = compress(request, {
      signal: controller.signal,
      onProgress: ({ stage }) => {
        if (stage === 'sensitivity') controller.abort();
      },
    });
    await expect(running).rejects.toMatchObject({ code: 'COMPRESS_CANCELLED' });
  }, 60_000);

  it('makes the share of weights zero that is asked for, and sends fewer bytes that expand to the file', async () => {
    const sparse = await compress({ ...request, goals: [], precision: 'int8', sparsity: 0.5 });
    let [zeros, weights] = [0, 0];
    for (const { dims, rawData, dataType } of readModel(sparse.model).graph.initializer) {
      if (dataType !== 3 || dims.length < 2) continue;
      weights += rawData.length;
      zeros += rawData.filter((value) => value === 0).length;
    }
    expect(zeros / weights).toBeGreaterThan(0.48);
    expect(sparse.report.quality!.before - sparse.report.quality!.after).toBeLessThan(0.03);
    expect(sparse.artifact.bytes.length).toBeLessThan(0.6 * sparse.model.length);
    const { length } = sparse.model;
    const expanded = await decodeArtifact(sparse.artifact.encoding, sparse.artifact.bytes, {
      length,
      maxBytes: length,
    });
    expect(Buffer.compare(expanded, sparse.model)).toBe(0);
  }, 240_000);

  it.each<[string, Partial<CompressRequest>, string]>([
    ['a ratio over 1', { goals: [{ name: 'macs-ratio', target: 1.5 }] }, 'COMPRESS_GOAL_INVALID'],
    [
      'a latency goal without a profile',
      { goals: [{ name: 'max-latency-ms', target: 5 }] },
      'COMPRESS_GOAL_INVALID',
    ],
    ['a sparsity over 1', { sparsity: 2 }, 'COMPRESS_GOAL_INVALID'],
    ['a sample with NaN', { calibration: withValue(calibration, NaN) }, 'COMPRESS_NOT_FINITE'],
    ['an infinite one', { calibration: withValue(calibration, Infinity) }, 'COMPRESS_NOT_FINITE'],
    [
      'a sample to evaluate on that is not finite',
      { evaluation: withValue(evaluation, -Infinity) },
      'COMPRESS_NOT_FINITE',
    ],
    [
      'samples that are all zero',
      { calibration: constant(calibration, 0) },
      'COMPRESS_CALIBRATION',
    ],
    [
      'samples that are all the same',
      { calibration: constant(calibration, 77) },
      'COMPRESS_CALIBRATION',
    ],
    [
      'labels of classes that the model does not have',
      { calibration: { ...calibration, y: calibration.y!.map((label) => label + 5) } },
      'COMPRESS_LABELS',
    ],
    ['four samples', { calibration: head(calibration, 4) }, 'COMPRESS_CALIBRATION'],
  ])('refuses %s', async (_name, change, code) => {
    const refused = compress({ ...request, ...change });
    await expect(refused).rejects.toBeInstanceOf(CompressionError);
    await expect(refused).rejects.toMatchObject({ code });
  });
});
