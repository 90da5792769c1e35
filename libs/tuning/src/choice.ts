import { type Budget, MOST_DISTURBED, type Profile } from '@espalier/protocol';
import { type Candidate, type QualityMeasure, quality, qualityMeasure } from './candidate.js';
import { TuningError } from './errors.js';
import { costsOfDevice, type EstimateSettings, Estimator } from './estimate.js';
import {
  type Allowance,
  type Estimate,
  type Overrun,
  allowance,
  overruns,
  overrunText,
} from './limits.js';

/** How one candidate stands on one device. */
export interface Option {
  readonly candidateId: string;
  readonly predicted: Estimate;
  /** Every limit that it breaks; soft ones do not exclude it. */
  readonly overruns: readonly Overrun[];
  readonly excluded: boolean;
}

/** The smallest change of limits that would let a device be served. */
export interface WouldFit {
  readonly candidateId: string;
  /** Each limit to lift, and the least value (or, of accuracy, the most) that lets the candidate in. */
  readonly changes: readonly {
    readonly limit: Overrun['limit'];
    readonly from: number;
    readonly to: number;
    readonly setBy: Overrun['setBy'];
  }[];
  readonly text: string;
}

/** The variant for one device, with its reasons. */
export interface Choice {
  /** Null: nothing fits; `wouldFit` says what would change that. */
  readonly candidateId: string | null;
  readonly predicted: Estimate | null;
  readonly measure: QualityMeasure;
  readonly reasons: readonly string[];
  /** Every candidate, best quality first. */
  readonly options: readonly Option[];
  readonly excluded: readonly {
    readonly candidateId: string;
    readonly why: string;
    readonly overruns: readonly Overrun[];
  }[];
  readonly wouldFit: WouldFit | null;
}

/**
 * The most accurate candidate that keeps every hard limit of a budget on a device. Between equals:
 * fewer soft limits broken, then the lower latency, then the id.
 * @throws TuningError TUNING_CANDIDATES when no quality measure is known for all candidates
 */
export function chooseVariant(
  profile: Profile,
  budget: Budget,
  candidates: readonly Candidate[],
  settings: EstimateSettings = {},
): Choice {
  const measure = requireMeasure(candidates);
  const device = costsOfDevice(profile, settings);
  const allowed = allowance(profile, budget);
  const ranked = rank(
    candidates,
    measure,
    (one) => new Estimator(one).on(device, settings),
    allowed,
    budget,
  );
  const best = ranked.find((one) => !one.option.excluded);
  const excluded = ranked
    .filter((one) => one.option.excluded)
    .map(({ option }) => ({
      candidateId: option.candidateId,
      why: exclusionText(option.overruns),
      overruns: option.overruns.filter((overrun) => overrun.hard),
    }));
  return {
    candidateId: best?.option.candidateId ?? null,
    predicted: best?.option.predicted ?? null,
    measure,
    reasons: [
      ...(best ? chosenBecause(best, ranked, measure) : ['no candidate keeps every hard limit']),
      ...cautionOf(profile),
    ],
    options: ranked.map((one) => one.option),
    excluded,
    wouldFit: best ? null : nearestFit(ranked.map((one) => one.option)),
  };
}

/** What an engineer should know of a profile before trusting what is predicted from it; empty: nothing. */
export function cautionOf({ disturbed = 0 }: Profile): string[] {
  if (disturbed <= MOST_DISTURBED) return [];
  const share = (100 * disturbed).toFixed(0);
  return [
    `predicted from a disturbed profile (${share} % of its kernels): have the device measured again while it is idle`,
  ];
}

/** The hard overruns of an excluded candidate in words. */
export function exclusionText(overrunsOfIt: readonly Overrun[]): string {
  return overrunsOfIt
    .filter((overrun) => overrun.hard)
    .map(overrunText)
    .join('; ');
}

/** @throws TuningError TUNING_CANDIDATES */
export function requireMeasure(candidates: readonly Candidate[]): QualityMeasure {
  const measure = candidates.length > 0 ? qualityMeasure(candidates) : null;
  if (!measure) {
    throw new TuningError(
      'TUNING_CANDIDATES',
      candidates.length === 0
        ? 'There are no candidates to choose from; make some first.'
        : 'The candidates share no quality measure (accuracy, agreement or an output error); measure all of them alike.',
    );
  }
  return measure;
}

/**
 * The change that costs least: the fewest limits lifted, then the smallest relative lift. Limits
 * that the hardware sets count after those of the budget, for a budget is easier to change.
 */
export function nearestFit(options: readonly Option[]): WouldFit | null {
  let best: { option: Option; hard: Overrun[]; cost: number } | null = null;
  for (const option of options) {
    const hard = option.overruns.filter((overrun) => overrun.hard);
    const cost = hard.reduce((sum, overrun) => sum + 1 + liftCost(overrun), 0);
    if (!best || cost < best.cost) best = { option, hard, cost };
  }
  if (!best) return null;
  const changes = best.hard.map(({ limit, allowed, needed, setBy }) => ({
    limit,
    from: allowed,
    to: needed,
    setBy,
  }));
  return {
    candidateId: best.option.candidateId,
    changes,
    text: `${best.option.candidateId} would fit: it ${best.hard.map(overrunText).join('; ')}`,
  };
}

interface Ranked {
  readonly candidate: Candidate;
  readonly option: Option;
  readonly quality: number;
}

function rank(
  candidates: readonly Candidate[],
  measure: QualityMeasure,
  estimate: (candidate: Candidate) => Estimate,
  allowed: Allowance,
  budget: Budget,
): Ranked[] {
  return candidates
    .map((candidate) => {
      const predicted = estimate(candidate);
      const broken = overruns(candidate, predicted, allowed, budget);
      return {
        candidate,
        quality: quality(candidate, measure),
        option: {
          candidateId: candidate.id,
          predicted,
          overruns: broken,
          excluded: broken.some((overrun) => overrun.hard),
        },
      };
    })
    .sort(
      (a, b) =>
        b.quality - a.quality ||
        a.option.overruns.length - b.option.overruns.length ||
        a.option.predicted.ms - b.option.predicted.ms ||
        (a.candidate.id < b.candidate.id ? -1 : 1),
    );
}

function chosenBecause(best: Ranked, ranked: readonly Ranked[], measure: QualityMeasure): string[] {
  const fitting = ranked.filter((one) => !one.option.excluded);
  const reasons = [
    `${qualityText(best.quality, measure)}, the best of the ${fitting.length} candidates, of ${ranked.length}, that keep every hard limit`,
  ];
  const above = ranked[ranked.indexOf(best) - 1];
  if (above) {
    reasons.push(
      `the next better one, ${above.candidate.id} (${qualityText(above.quality, measure)}), ${exclusionText(above.option.overruns)}`,
    );
  }
  for (const overrun of best.option.overruns) {
    reasons.push(`over a soft limit: ${overrunText(overrun)}`);
  }
  return reasons;
}

function qualityText(value: number, measure: QualityMeasure): string {
  switch (measure) {
    case 'accuracy':
    case 'agreement':
      return `${measure} ${(value * 100).toFixed(2)} %`;
    case 'meanKl':
      return `mean KL divergence ${(-value).toPrecision(3)}`;
    case 'meanSquaredError':
      return `mean squared error ${(-value).toPrecision(3)}`;
  }
}

function liftCost(overrun: Overrun): number {
  const share =
    overrun.limit === 'minAccuracy'
      ? (overrun.allowed - overrun.needed) / Math.max(overrun.allowed, 1e-9)
      : Math.log(overrun.needed / Math.max(overrun.allowed, 1e-9));
  return share + (overrun.setBy === 'device' ? 1 : 0);
}
