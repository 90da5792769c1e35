import { agreement, classesOf, outputsOf } from '../evaluate.js';
import type { GramEngine } from '../statistics/gram.js';
import { refitLayers } from '../structure/refit.js';
import type { Choices } from './allocate.js';
import { type JudgeContext, outputLoss } from './sensitivity.js';
import { denseWidths, droppedAt, modelAt, removedAt, type Widths } from './widths.js';

/** What measuring a candidate takes: judging, and the engine that fits. */
export interface MeasureContext extends Omit<JudgeContext, 'indices' | 'reference'> {
  /** The samples that `dense` was collected on, in that order. */
  readonly fit: readonly number[];
  readonly engine: GramEngine;
}

/** One sample in so many is fitted on; the others are judged on. */
const EVERY = 3;

/** Most blocks whose removal is measured. */
const BLOCKS = 4;

/** Most groups whose curves a round of refinement measures. */
const GROUPS = 8;

/** How far a measured loss may move a whole curve: further, the curve's shape says nothing. */
const MOST_SCALING = 8;

/**
 * The loss of a candidate after a fit in sequence, fitted on a third of the samples and judged on the
 * others. What the quick fit from the dense moments cannot see is that layers after a cut make up for
 * it, the more the earlier the cut. For classes, the share of changed decisions is added to the
 * divergence: late cuts change decisions at a divergence at which early ones do not.
 */
export class MeasuredLoss {
  private readonly measured = new Map<string, { widths: Widths; loss: number }>();
  private judged: Promise<JudgeContext> | undefined;

  constructor(private readonly context: MeasureContext) {}

  /** @throws CompressionError COMPRESS_CANCELLED */
  async of(widths: Widths): Promise<number> {
    const key = widths.join();
    const known = this.measured.get(key);
    if (known) return known.loss;
    const { context } = this;
    const { channels, dense, samples, engine, settings, fit } = context;
    const places = fit.map((_, i) => i).filter((i) => i % EVERY === 0);
    const { model } = await refitLayers(
      modelAt(context, widths),
      removedAt(context, widths),
      droppedAt(context, widths),
      { channels, dense, samples, indices: fit, places, engine, settings },
    );
    const judging = await this.judging();
    const outputs = await outputsOf(model, samples, judging.indices, {
      ...settings,
      output: judging.output.name,
    });
    const changed =
      judging.output.task === 'classification'
        ? 1 - agreement(classesOf(outputs), classesOf(judging.reference))
        : 0;
    const loss = outputLoss(judging.reference, outputs, judging.output) + changed;
    this.measured.set(key, { widths, loss });
    return loss;
  }

  /** All that was measured so far. */
  candidates(): readonly { readonly widths: Widths; readonly loss: number }[] {
    return [...this.measured.values()];
  }

  /**
   * What the removal of blocks loses once the rest makes up for it, for those that look cheapest.
   * @param unfitted each block's choices before any fit; what is not measured is not offered further
   */
  async ofBlocks(unfitted: readonly Choices[]): Promise<Choices[]> {
    const whole = denseWidths(this.context);
    const offered = [...unfitted.keys()]
      .filter((b) => (unfitted[b]?.widths.length ?? 0) > 1)
      .sort((a, b) => (unfitted[a]?.losses[1] ?? 0) - (unfitted[b]?.losses[1] ?? 0))
      .slice(0, BLOCKS);
    const choices: Choices[] = unfitted.map(() => ({ widths: [1], losses: [0] }));
    for (const b of offered) {
      const without = whole.with(this.context.groups.length + b, 0);
      choices[b] = { widths: [1, 0], losses: [0, await this.of(without)] };
    }
    return choices;
  }

  /**
   * Scales groups' curves to what is measured: those that the proposal loses most by, where it has
   * them, then those that it leaves whole and that look cheapest, a third of the way down.
   */
  async refine(
    choices: readonly Choices[],
    proposal: Widths,
    onMeasured?: (done: number, total: number) => void,
  ): Promise<Choices[]> {
    const whole = denseWidths(this.context);
    const points = this.context.groups.map((_, g) => {
      const { widths = [], losses = [] } = choices[g] ?? {};
      const cut = Math.max(widths.indexOf(proposal[g] ?? 0), 0);
      const at = cut > 0 ? cut : Math.ceil((widths.length - 1) / 3);
      return { g, cut: cut > 0, width: widths[at] ?? 0, loss: losses[at] ?? 0 };
    });
    const dearest = points
      .filter(({ loss }) => loss > 0)
      .sort((a, b) => Number(b.cut) - Number(a.cut) || (a.cut ? b.loss - a.loss : a.loss - b.loss))
      .slice(0, GROUPS);
    const scales = new Map<number, number>();
    for (const { g, width, loss } of dearest) {
      const measured = await this.of(whole.with(g, width));
      scales.set(g, Math.min(Math.max(measured / loss, 1 / MOST_SCALING), MOST_SCALING));
      onMeasured?.(scales.size, dearest.length);
    }
    // What was not measured moves as what was did on the whole, so that both stay comparable.
    const sorted = [...scales.values()].sort((a, b) => a - b);
    const typical = sorted[Math.floor(sorted.length / 2)] ?? 1;
    return choices.map((each, i) => {
      if (i >= this.context.groups.length) return each;
      const scale = scales.get(i) ?? typical;
      return { ...each, losses: each.losses.map((loss) => loss * scale) };
    });
  }

  private judging(): Promise<JudgeContext> {
    this.judged ??= this.openJudging();
    return this.judged;
  }

  private async openJudging(): Promise<JudgeContext> {
    const { fit, channels, samples, settings, output } = this.context;
    const indices = fit.filter((_, i) => i % EVERY !== 0);
    const reference = await outputsOf(channels.model, samples, indices, {
      ...settings,
      output: output.name,
    });
    return { ...this.context, indices, reference };
  }
}
