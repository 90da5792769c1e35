export { errorShare, type BudgetShares } from './budget.js';
export { ChangeComparison, type Arm, type ChangeEstimate, type Labelled } from './comparison.js';
export { estimateLevel, type LevelEstimate } from './level.js';
export { logEvidenceAbove, logEvidenceBelow } from './mixture.js';
export { logEvidenceOfShareAbove, logEvidenceOfShareBelow } from './share.js';
