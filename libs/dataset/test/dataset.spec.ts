import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import {
  DatasetError,
  openDataset,
  parseCard,
  prepareBatch,
  seededRandom,
  splitDataset,
  writeNpz,
  type Dataset,
  type NpyArray,
} from '../src/index.js';

const root = path.resolve(import.meta.dirname, '../../..');

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof DatasetError) return error.code;
    throw error;
  }
  return 'none';
}

function images(dims: number[]): NpyArray {
  const length = dims.reduce((a, b) => a * b, 1);
  return { dims, dtype: 'uint8', data: Uint8Array.from({ length }, (_, i) => i % 256) };
}

function datasetOf(x: NpyArray): Dataset {
  return openDataset(writeNpz({ x }));
}

describe('openDataset', () => {
  it('opens the example with its labels', () => {
    const { count, x, y } = openDataset(
      readFileSync(path.join(root, 'examples/fashion-calibration.npz')),
    );
    expect([count, x.dims, x.dtype]).toEqual([512, [512, 28, 28, 1], 'uint8']);
    expect(y).toHaveLength(512);
    expect(Math.max(...y!)).toBe(9);
  });

  it('opens float32 features as they are', () => {
    const file = path.resolve(root, '../shared/data/kws-calibration.npz');
    if (!existsSync(file)) {
      process.stderr.write('../shared is absent: the keyword features are not read.\n');
      return;
    }
    const { count, x } = openDataset(readFileSync(file));
    expect([count, x.dims, x.dtype]).toEqual([200, [200, 49, 10, 1], 'float32']);
  });

  it('says which arrays it found when "x" is missing', () => {
    const bytes = writeNpz({ images: images([1, 2]) });
    expect(() => openDataset(bytes)).toThrow(/it has: images/);
    expect(codeOf(() => openDataset(bytes))).toBe('DATASET_NO_X');
  });

  it('refuses labels that do not belong to the samples', () => {
    const x = images([2, 2, 2, 1]);
    const y = (values: number[]): NpyArray => ({
      dims: [values.length],
      dtype: 'float32',
      data: Float32Array.from(values),
    });
    expect(codeOf(() => openDataset(writeNpz({ x, y: y([1, 2, 3]) })))).toBe('DATASET_SHAPE');
    expect(codeOf(() => openDataset(writeNpz({ x, y: y([1, 2.5]) })))).toBe('DATASET_SHAPE');
    expect(codeOf(() => openDataset(writeNpz({ x, y: y([1, -1]) })))).toBe('DATASET_SHAPE');
    expect(openDataset(writeNpz({ x, y: y([1, 3]) })).y).toEqual(Int32Array.of(1, 3));
  });
});

describe('parseCard', () => {
  it('fills what is left out', () => {
    expect(parseCard('{"input":{"name":"image"}}')).toEqual({
      task: 'classification',
      input: { name: 'image', scale: 1 },
    });
  });

  it.each(['{', '{}', '{"input":{"layout":"HWC"}}', '{"input":{"std":[0]}}', 'null'])(
    'refuses %s',
    (text) => {
      expect(codeOf(() => parseCard(text))).toBe('CARD_INVALID');
    },
  );
});

describe('prepareBatch', () => {
  const card = parseCard({
    input: { layout: 'NCHW', scale: 0.5, mean: [1, 2, 3], std: [1, 2, 4] },
  });

  it('moves images to NCHW and normalises each channel', () => {
    const batch = prepareBatch(datasetOf(images([2, 1, 2, 3])), card, [1], ['N', 3, 1, 2]);
    // Sample 1 holds the pixels (6, 7, 8) and (9, 10, 11).
    expect(batch.dims).toEqual([1, 3, 1, 2]);
    expect(Array.from(batch.data)).toEqual([
      6 * 0.5 - 1,
      9 * 0.5 - 1,
      (7 * 0.5 - 2) / 2,
      (10 * 0.5 - 2) / 2,
      (8 * 0.5 - 3) / 4,
      (11 * 0.5 - 3) / 4,
    ]);
  });

  it('gives grey images their channel axis, with or without one in the data', () => {
    for (const dims of [
      [3, 28, 28, 1],
      [3, 28, 28],
    ]) {
      const grey = parseCard({ input: { layout: 'NCHW', mean: [5] } });
      const batch = prepareBatch(datasetOf(images(dims)), grey, { start: 1, count: 2 }, [
        null,
        1,
        28,
        28,
      ]);
      expect(batch.dims).toEqual([2, 1, 28, 28]);
      expect(batch.data[0]).toBe((784 % 256) - 5);
    }
  });

  it('reads the layout off the model when there is no card', () => {
    const dataset = datasetOf(images([1, 4, 5, 3]));
    expect(prepareBatch(dataset, undefined, [0], ['N', 3, 4, 5]).dims).toEqual([1, 3, 4, 5]);
    expect(prepareBatch(dataset, undefined, [0], ['N', 4, 5, 3]).dims).toEqual([1, 4, 5, 3]);
    expect(prepareBatch(dataset, undefined, [0], ['N', 4, 5, 3]).data[4]).toBe(4);
  });

  it('keeps float32 samples where they are and normalises the channels of the layout', () => {
    const x: NpyArray = {
      dims: [1, 2, 2, 2],
      dtype: 'float32',
      data: Float32Array.from([0, 1, 2, 3, 4, 5, 6, 7]),
    };
    const planes = parseCard({ input: { layout: 'NCHW', mean: [0, 4] } });
    expect(Array.from(prepareBatch(datasetOf(x), planes, [0], [1, 2, 2, 2]).data)).toEqual([
      0, 1, 2, 3, 0, 1, 2, 3,
    ]);
    const pixels = parseCard({ input: { layout: 'NHWC', mean: [0, 1] } });
    expect(Array.from(prepareBatch(datasetOf(x), pixels, [0], [1, 2, 2, 2]).data)).toEqual([
      0, 0, 2, 2, 4, 4, 6, 6,
    ]);
  });

  it('refuses what does not fit the model, the card or the dataset', () => {
    const dataset = datasetOf(images([2, 4, 5, 3]));
    expect(() => prepareBatch(dataset, card, [0], ['N', 3, 8, 8])).toThrow(
      /N, 3, 8, 8.*1, 3, 4, 5/,
    );
    expect(codeOf(() => prepareBatch(dataset, card, [0], ['N', 60]))).toBe('DATASET_SHAPE');
    expect(codeOf(() => prepareBatch(dataset, card, [2], ['N', 3, 4, 5]))).toBe('DATASET_SHAPE');
    const four = parseCard({ input: { layout: 'NCHW', mean: [1, 2, 3, 4] } });
    expect(codeOf(() => prepareBatch(dataset, four, [0], ['N', 3, 4, 5]))).toBe('DATASET_SHAPE');
  });
});

describe('splitDataset', () => {
  const y = Int32Array.from({ length: 103 }, (_, i) => (i % 10 === 0 ? 1 : 0));
  const dataset: Dataset = { count: 103, x: images([103, 2]), y };

  it('is a partition, the same for the same seed', () => {
    const { fit, gate } = splitDataset(dataset, 7);
    expect([...fit, ...gate].sort((a, b) => a - b)).toEqual([...Array(103).keys()]);
    expect(splitDataset(dataset, 7)).toEqual({ fit, gate });
    expect(splitDataset(dataset, 8)).not.toEqual({ fit, gate });
  });

  it('keeps the share within each class', () => {
    const { fit } = splitDataset(dataset, 1, 0.6);
    const ones = fit.filter((index) => y[index] === 1).length;
    expect(fit).toHaveLength(62);
    expect(Math.abs(ones - 11 * 0.6)).toBeLessThanOrEqual(1);
  });
});

describe('seededRandom', () => {
  it('repeats for a seed and is uniform', () => {
    const draw = (seed: number): number[] => {
      const random = seededRandom(seed);
      return Array.from({ length: 20_000 }, () => random.next());
    };
    expect(draw(3)).toEqual(draw(3));
    expect(draw(3)).not.toEqual(draw(4));
    const mean = draw(5).reduce((a, b) => a + b) / 20_000;
    expect(Math.abs(mean - 0.5)).toBeLessThan(0.01);
  });
});
