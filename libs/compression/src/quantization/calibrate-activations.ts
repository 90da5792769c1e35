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
/** Parts of the samples that judge each other's ranges. */
const PARTS = 4;

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
  const histograms = names.map(() => Array.from({ length: PARTS }, () => new Histogram()));
  await runOver(plan.model, names, samples, indices, settings, (tensors, offset, real) => {
    histograms.forEach((parts, at) => {
      const values = realPart(tensors[names[at] ?? ''] as Tensor, samples, real);
      const size = Math.floor(values.length / real);
      // An odd stride meets every position of an even row in turn.
      const stride = Math.ceil(size / PER_SAMPLE) | 1;
      for (let i = 0; i < real; i++) {
        const sample = values.subarray(i * size, (i + 1) * size);
        parts[(offset + i) % PARTS]?.add(sample, (offset + i) % stride, stride);
      }
    });
  });
  return new Map(
    owners.map(({ name, lower, upper }, at) => {
      const parts = histograms[at] ?? [];
      if (parts.some(({ finite }) => !finite)) {
        throw new CompressionError(
          'COMPRESS_NOT_FINITE',
          `The model gives values that are not finite at "${name}" for the calibration data; it cannot be quantized.`,
        );
      }
      return [name, chooseScale(parts, lower, upper)];
    }),
  );
}
