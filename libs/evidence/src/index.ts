export { errorShare, type BudgetShares } from './budget.js';
export {
  clusteredMean,
  meanInterval,
  shareInterval,
  type Cluster,
  type ClusteredMean,
} from './clustered.js';
export { ChangeComparison, type Arm, type ChangeEstimate, type Labelled } from './comparison.js';
export {
  confidenceThreshold,
  estimatedAccuracy,
  type ConfidenceThreshold,
} from './drift/accuracy-estimate.js';
export { DriftBets, type BetSettings, type ItemsAsOne } from './drift/bets.js';
export { DriftWatch, type DriftVerdict } from './drift/drift-watch.js';
export { FleetWatch, type FleetVerdict } from './drift/fleet-watch.js';
export { FAMILIES, type Family } from './drift/families.js';
export { stabilityIndex } from './drift/stability-index.js';
export { EvidenceError } from './errors.js';
export { estimateLevel, type LevelEstimate } from './level.js';
export { logEvidenceAbove, logEvidenceBelow } from './mixture.js';
export { logEvidenceOfShareAbove, logEvidenceOfShareBelow } from './share.js';
export { StreamMemory } from './sketch/dependence.js';
export {
  channelLayout,
  inputFeatures,
  outputFeatures,
  type ChannelLayout,
  type InputFeatures,
  type OutputFeatures,
} from './sketch/features.js';
export { QUANTILE_RELATIVE_ERROR, QuantileDigest } from './sketch/quantile-digest.js';
export { decodeSketch, encodeSketch, WindowSketch } from './sketch/window-sketch.js';
