export { type Candidate, type Fidelity, type QualityMeasure, qualityMeasure } from './candidate.js';
export { type Choice, chooseVariant, exclusionText, type Option, type WouldFit } from './choice.js';
export { type CandidateCosts, candidateCostsSchema, type CostNode } from './costs.js';
export { describeCandidate } from './describe.js';
export { TuningError, type TuningErrorCode } from './errors.js';
export type { EstimateSettings } from './estimate.js';
export {
  latencyEstimator,
  type LatencyInterval,
  type LatencyPrediction,
  type LatencySettings,
  predictFromCosts,
  predictLatency,
} from './latency.js';
export { type Estimate, type Overrun, overrunText } from './limits.js';
export { SETTLING_PROFILES, settleProfiles } from './settle-profiles.js';
export { predictRam, ramIncrement, type RamPrediction } from './ram.js';
export {
  type Assignment,
  type FleetOptions,
  type FleetPlan,
  planFleet,
  type PlanDevice,
} from './fleet.js';
export { layeredBudget } from './layered-budget.js';
export {
  deviceClassOf,
  ENOUGH_SAMPLES,
  judgeLatency,
  latencyFactor,
  type LatencyVerdict,
  type LatencyWindow,
} from './measured-latency.js';
