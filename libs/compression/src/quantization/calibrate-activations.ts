import type { Tensor } from '@espalier/onnx';
import { CompressionError } from '../errors.js';
import { type RunSettings, runOver } from '../statistics/run.js';
import type { Samples } from '../statistics/samples.js';
import type { AffineScale } from './affine.js';
import { chooseScale, Histogram } from './histogram.js';
import type { QuantizationPlan } from './plan.js';

/** The values of a run's tensor without those of samples that only fill a fixed batch. */
export function realPart(tensor: Tensor, samples: Samples, real: number): Float32Array {
  const values = tensor.data as Float32Array;
  return samples.fixedBatch
    ? values.subarray(0, Math.floor((values.length * real) / samples.batch))
    : values;
}

/** Values of a tensor that one sample adds to its histogram, at most. */
const PER_SAMPLE = 4096;

/**
 * Scales of every quantized tensor from the float model's own values, by measured error. One pass;
 * memory does not grow with the number of samples.
 * @returns by the tensors that have a scale of their own
 * @throws CompressionError COMPRESS_NOT_FINITE, COMPRESS_CANCELLED
 */
export async function calibrateActivations(
  plan: QuantizationPlan,
  samples: Samples,
  indices: readonly number[],
  settings: RunSettings,
): Promise<Map<string, AffineScale>> {
  const owners = [...plan.tensors.values()].filter(({ name, scaleOf }) => scaleOf === name);
  const names = owners.map(({ name }) => name);
  const histograms = names.map(() => new Histogram());
  let run = 0;
  await runOver(plan.model, names, samples, indices, settings, (tensors, _offset, real) => {
    run++;
    histograms.forEach((histogram, at) => {
      const tensor = tensors[names[at] ?? ''] as Tensor;
      const values = realPart(tensor, samples, real);
      // An odd stride meets every position of an even row in turn.
      const stride = Math.ceil(values.length / real / PER_SAMPLE) | 1;
      histogram.add(values, run % stride, stride);
    });
  });
  return new Map(
    owners.map(({ name, lower, upper }, at) => {
      const histogram = histograms[at] ?? new Histogram();
      if (!histogram.finite) {
        throw new CompressionError(
          'COMPRESS_NOT_FINITE',
          `The model gives values that are not finite at "${name}" for the calibration data; it cannot be quantized.`,
        );
      }
      return [name, chooseScale(histogram, lower, upper)];
    }),
  );
}
