import type { Outputs } from '../evaluate.js';
import { sharedSamples, warningsOf } from './warnings.js';

/** Outputs of a model that decides for these classes of three. */
function deciding(classes: readonly number[]): Outputs {
  const rows = classes.flatMap((chosen) => [0, 1, 2].map((i) => Number(i === chosen)));
  return { width: 3, rows: Float32Array.from(rows) };
}

describe('warnings about samples', () => {
  it('are not given where the model is right more often than the most frequent class is', () => {
    expect(warningsOf(deciding([0, 1, 2, 0]), [0, 1, 2, 1], 'samples')).toEqual([]);
    expect(warningsOf(deciding([0, 1, 2, 0]), undefined, 'samples')).toEqual([]);
  });

  it('say that one class is decided for on all samples, as an input of the wrong scale does', () => {
    const [warning] = warningsOf(deciding([2, 2, 2, 2]), [0, 1, 2, 2], 'gate samples');
    expect(warning).toMatch(/decides for class 2 on all 4 gate samples.*scale, mean, std/);
  });

  it('say that the model is no better than the most frequent class, as of the wrong labels', () => {
    const [warning] = warningsOf(deciding([0, 1, 2, 0]), [1, 2, 0, 0], 'gate samples');
    expect(warning).toMatch(/right on 25\.0 % of the 4 gate samples.* right on 50\.0 %/);
  });

  it('are not about outputs that are no classes', () => {
    expect(warningsOf({ width: 1, rows: Float32Array.of(1, 1, 1) }, undefined, 'samples')).toEqual(
      [],
    );
  });
});

describe('samples that judge a variant', () => {
  const datasetOf = (...values: number[]) => ({
    count: values.length,
    x: { dims: [values.length, 1], dtype: 'float32' as const, data: Float32Array.from(values) },
  });

  it('are named when they are those that it was fitted on, from whichever file', () => {
    const [warning] = sharedSamples(datasetOf(1, 2, 3), datasetOf(1, 2, 3));
    expect(warning).toMatch(/same 3 samples as the calibration data.*not among them/);
  });

  it('are not when they are others, or there are none', () => {
    expect(sharedSamples(datasetOf(1, 2, 3), datasetOf(1, 2, 4))).toEqual([]);
    expect(sharedSamples(datasetOf(1, 2, 3), datasetOf(1, 2))).toEqual([]);
    expect(sharedSamples(datasetOf(1, 2, 3), undefined)).toEqual([]);
  });
});
