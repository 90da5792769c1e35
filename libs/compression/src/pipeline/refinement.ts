import type { Choices } from '../search/allocate.js';
import type { MeasuredLoss } from '../search/measured-loss.js';
import type { Widths } from '../search/widths.js';
import type { CompressHooks } from './request.js';
import type { Workbench } from './workbench.js';

/** Rounds of measuring losses anew where the last proposal cut. */
const ROUNDS = 2;

/** Factors by which one group's losses are tried otherwise, to reach neighbouring proposals. */
const TRADES = [2, 0.5];

/** Fits that a refinement takes at most, by and large: what its progress counts to. */
const MOST_FITS = 30;

/**
 * Measures losses anew around what they propose, then tries the neighbours of the best proposal, each
 * with one group dearer or cheaper than measured: losses are not quite additive, and only a candidate
 * measured whole shows it.
 * @param propose widths that keep the goals at least loss, by the losses given
 * @param neighbours most neighbours that are measured
 * @returns the losses whose proposal was measured to lose least
 */
export async function refineChoices(
  bench: Pick<Workbench, 'choices' | 'groups'> & {
    readonly measuredLoss: Pick<MeasuredLoss, 'of' | 'ofBlocks' | 'refine'>;
  },
  propose: (choices: readonly Choices[]) => Promise<Widths>,
  neighbours: number,
  hooks: CompressHooks,
): Promise<readonly Choices[]> {
  const { measuredLoss, groups } = bench;
  let done = 0;
  const progress = (): void =>
    hooks.onProgress?.({ stage: 'refine', done: Math.min(++done, MOST_FITS), total: MOST_FITS });
  let best: { choices: readonly Choices[]; loss: number } | undefined;
  const seen = new Set<string>();
  /** Whether the proposal is a new one. */
  const weigh = async (choices: readonly Choices[], widths: Widths): Promise<boolean> => {
    progress();
    if (seen.has(widths.join())) return false;
    seen.add(widths.join());
    const loss = await measuredLoss.of(widths);
    if (!best || loss < best.loss) best = { choices, loss };
    return true;
  };
  let { choices } = bench;
  let blocks: readonly Choices[] | undefined;
  for (let round = 0; round <= ROUNDS; round++) {
    const widths = await propose(choices);
    if (!(await weigh(choices, widths)) || round === ROUNDS) break;
    choices = await measuredLoss.refine(choices, widths, progress);
    blocks ??= await measuredLoss.ofBlocks(bench.choices.slice(groups.length));
    choices = [...choices.slice(0, groups.length), ...blocks];
  }
  const from = best?.choices ?? choices;
  let tried = 0;
  for (const g of groups.keys()) {
    for (const factor of TRADES) {
      if (tried >= neighbours) break;
      const traded = from.map((each, i) =>
        i === g ? { ...each, losses: each.losses.map((loss) => loss * factor) } : each,
      );
      if (await weigh(traded, await propose(traded))) tried++;
    }
  }
  return best?.choices ?? choices;
}
