import type { CompressionReport } from '../report/report.js';
import { allocate } from '../search/allocate.js';
import { denseWidths, type Widths } from '../search/widths.js';
import type { Chosen } from './choose-variant.js';
import { structureLoss } from './variant.js';
import type { Workbench } from './workbench.js';

type Front = NonNullable<CompressionReport['front']>;

/** Shares of the multiply-accumulates that predictions are made at, evenly on a logarithmic scale. */
const POINTS = 16;

/** Smallest share among them. */
const SMALLEST_RATIO = 0.2;

/** Evaluations of the cost that one prediction takes: it is drawn, not built. */
const EVALUATIONS = 4000;

/**
 * The front that the search walked: the least loss that it predicts at each share of the work, the
 * candidates that it built on the way, and the variant. All are of the structure alone, before weights
 * and precision change.
 * @returns null where nothing was searched
 */
export async function walkedFront(
  bench: Workbench,
  { variant, choices, refined, built }: Chosen,
): Promise<Front | null> {
  if (choices.length === 0) return null;
  const { sizes, measuredLoss, output } = bench;
  const whole = denseWidths(bench);
  const dense = sizes.macs(whole);
  const point = (kind: Front['points'][number]['kind'], widths: Widths, loss: number) => ({
    kind,
    macs: Math.round(sizes.macs(widths)),
    loss,
  });
  const predicted = Array.from({ length: POINTS }, (_, i) => {
    const ratio = SMALLEST_RATIO ** (i / (POINTS - 1));
    const share = (widths: Widths): number => sizes.macs(widths) / dense;
    const { widths, loss, cost } = allocate(choices, share, ratio, EVALUATIONS);
    return cost <= ratio + 1e-9 ? [point('predicted', widths, loss)] : [];
  }).flat();
  const chosen = variant.plan.widths.length > 0 ? variant.plan.widths : whole;
  const tried = (refined ? measuredLoss.candidates() : built).filter(
    ({ widths }) => widths.join() !== chosen.join(),
  );
  const own = refined ? await measuredLoss.of(chosen) : structureLoss(variant);
  const measure = output.task === 'regression' ? 'squared error' : 'divergence';
  return {
    measure: refined && measure === 'divergence' ? 'divergence and changed decisions' : measure,
    points: [
      ...predicted,
      ...tried.map(({ widths, loss }) => point('tried', widths, loss)),
      point('variant', chosen, own),
    ],
  };
}
