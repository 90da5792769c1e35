import type { Model } from '@espalier/onnx';
import {
  logProbabilities,
  meanKl,
  meanSquaredError,
  type Outputs,
  outputsOf,
} from '../evaluate.js';
import type { RunSettings } from '../statistics/run.js';
import type { Samples } from '../statistics/samples.js';

/** Which output of a model counts (the first by default), and what it holds. */
export interface JudgedOutput {
  readonly name?: string | undefined;
  readonly kind: 'logits' | 'probabilities' | 'values';
}

/** How far a model's outputs are from the float model's. */
export type Divergence = { readonly meanKl: number } | { readonly meanSquaredError: number };

/** The number that a divergence holds: the lower the better. */
export function divergenceValue(divergence: Divergence): number {
  return 'meanKl' in divergence ? divergence.meanKl : divergence.meanSquaredError;
}

/** The float model's outputs on samples that nothing is fitted on: what every stage is judged by. */
export class HeldOut {
  private constructor(
    private readonly reference: Outputs,
    private readonly samples: Samples,
    private readonly indices: readonly number[],
    private readonly settings: RunSettings,
    private readonly output: JudgedOutput,
  ) {}

  static async open(
    model: Model,
    samples: Samples,
    indices: readonly number[],
    settings: RunSettings,
    output: JudgedOutput,
  ): Promise<HeldOut> {
    const reference = await outputsOf(model, samples, indices, {
      ...settings,
      output: output.name,
    });
    return new HeldOut(reference, samples, indices, settings, output);
  }

  /** The divergence that a number stands for. */
  divergence(value: number): Divergence {
    return this.output.kind === 'values' ? { meanSquaredError: value } : { meanKl: value };
  }

  /** A divergence in nats, or as a share of how much the reference's outputs vary about their means. */
  relative(value: number): number {
    if (this.output.kind !== 'values') return value;
    const { rows, width } = this.reference;
    const count = rows.length / width;
    const means = new Float64Array(width);
    rows.forEach((v, i) => (means[i % width] = (means[i % width] as number) + v / count));
    const squares = rows.reduce((sum, v, i) => sum + (v - (means[i % width] as number)) ** 2, 0);
    return value / Math.max(squares / rows.length, 1e-30);
  }

  /** Mean Kullback-Leibler divergence in nats, or mean squared error where outputs are plain values. */
  async judge(model: Model): Promise<Divergence> {
    const { reference, output } = this;
    const settings = { ...this.settings, output: output.name };
    const outputs = await outputsOf(model, this.samples, this.indices, settings);
    if (output.kind === 'values') return { meanSquaredError: meanSquaredError(reference, outputs) };
    const [before, after] = [reference, outputs].map((o) =>
      logProbabilities(o, output.kind === 'logits' ? 'logits' : 'probabilities'),
    );
    return { meanKl: before && after ? meanKl(before, after, reference.width) : Infinity };
  }
}
