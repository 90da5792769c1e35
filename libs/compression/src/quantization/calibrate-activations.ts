import type { Tensor } from '@espalier/onnx';
import { CompressionError } from '../errors.js';
import { type RunSettings, runOver } from '../statistics/run.js';
import type { Samples } from '../statistics/samples.js';
import type { AffineScale } from './affine.js';
import { chooseScale, count, type Histogram, openHistogram } from './histogram.js';
import type { QuantizationPlan } from './plan.js';

/** Values of a tensor that one sample adds to its histogram, at most. */
const PER_SAMPLE = 8192;

/**
 * Scales of every quantized tensor from the float model's own values: one pass over the samples for
 * the extremes, one for histograms. Memory does not grow with the number of samples.
 * @throws CompressionError COMPRESS_NOT_FINITE, COMPRESS_CANCELLED
 */
export async function calibrateActivations(
  plan: QuantizationPlan,
  samples: Samples,
  indices: readonly number[],
  settings: RunSettings,
): Promise<Map<string, AffineScale>> {
  const scales = new Map<string, AffineScale>();
  for (const [name, histogram] of await activationHistograms(plan, samples, indices, settings))
    scales.set(name, chooseScale(histogram));
  return scales;
}

/** A histogram for each scale that the plan needs. */
export async function activationHistograms(
  plan: QuantizationPlan,
  samples: Samples,
  indices: readonly number[],
  settings: RunSettings,
): Promise<Map<string, Histogram>> {
  const names = [...plan.tensors.values()].filter((t) => t.scaleOf === t.name).map((t) => t.name);
  const run = (visit: (name: string, values: Float32Array, end: number) => void): Promise<void> =>
    runOver(plan.model, names, samples, indices, settings, (tensors, _offset, real) => {
      for (const name of names) {
        const tensor = tensors[name] as Tensor;
        const values = tensor.data as Float32Array;
        visit(name, values, (values.length / (tensor.dims[0] ?? 1)) * real);
      }
    });

  const extremes = new Map(names.map((name) => [name, { min: 0, max: 0 }]));
  await run((name, values, end) => {
    const seen = extremes.get(name);
    if (!seen) return;
    let { min, max } = seen;
    for (let i = 0; i < end; i++) {
      const value = values[i] as number;
      if (value < min) min = value;
      else if (value > max) max = value;
      else if (value !== value) max = NaN;
    }
    if (!Number.isFinite(max - min)) {
      throw new CompressionError(
        'COMPRESS_NOT_FINITE',
        `The model gives values that are not finite at "${name}" for the calibration data.`,
      );
    }
    [seen.min, seen.max] = [min, max];
  });

  const histograms = new Map<string, Histogram>();
  for (const [name, { min, max }] of extremes) {
    const { lower = -Infinity, upper = Infinity } = plan.tensors.get(name) ?? {};
    histograms.set(name, openHistogram(Math.max(min, lower), Math.min(max, upper)));
  }
  let batch = 0;
  await run((name, values, end) => {
    const histogram = histograms.get(name);
    const stride = Math.max(1, Math.floor(end / samples.batch / PER_SAMPLE)) | 1;
    if (histogram) count(histogram, values, end, batch++ % stride, stride);
  });
  return histograms;
}
