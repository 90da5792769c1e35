import { judge, liveVariants, numbersOf, openedStages } from './advance.js';
import { Draft } from './draft.js';
import type { Evidence, Judged } from './gates/evidence.js';
import { judgeFailedShare, type FailedShareNumbers, type Verdict } from './gates/failed-share.js';
import type { RolloutState } from './state.js';

/** How one gate of the open stage stands, and the numbers that it follows from. */
export type GateStanding =
  | {
      readonly rule: 'failed-share';
      /** Null: the stage as a whole. */
      readonly variantId: string | null;
      readonly verdict: Verdict;
      readonly numbers: FailedShareNumbers;
    }
  | ({ readonly variantId: string } & Judged);

/** How every gate of the open stage stands now; empty before the start. */
export function gateStandings(
  state: RolloutState,
  evidence: Evidence | null,
  now: number,
): GateStanding[] {
  if (state.stage < 0) return [];
  const draft = new Draft(state, now, evidence);
  const share = (stages: readonly number[], variantIds: readonly string[]) => {
    const numbers = numbersOf(draft, stages, variantIds);
    return { numbers, verdict: judgeFailedShare(numbers) };
  };
  const live = liveVariants(draft);
  const byVariant = state.spec.gate.scope === 'variant' ? live : [];
  return [
    { rule: 'failed-share', variantId: null, ...share([state.stage], live) },
    ...byVariant.map((variantId): GateStanding => {
      const judged = share(openedStages(draft), [variantId]);
      return { rule: 'failed-share', variantId, ...judged };
    }),
    ...judge(draft).flatMap(({ variantId, judged }) =>
      judged.map((one) => ({ variantId, ...one })),
    ),
  ];
}
