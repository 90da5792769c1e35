export { placeOf } from './assignment.js';
export { RolloutError, type RolloutErrorCode } from './errors.js';
export type {
  Decision,
  DecisionBody,
  Effect,
  Order,
  OrderEvent,
  ReportEvent,
  RolloutEvent,
} from './events.js';
export { judgeFailedShare, type FailedShareNumbers, type Verdict } from './gates/failed-share.js';
export { parseSpec, rolloutSpecSchema, type RolloutSpec, type RolloutSpecInput } from './spec.js';
export {
  count,
  createRollout,
  headOf,
  restoreRollout,
  rewindRollout,
  type DeviceRecord,
  type Member,
  type Previous,
  type RolloutHead,
  type RolloutState,
  type RolloutVariant,
} from './state.js';
export { gateStandings, type GateStanding } from './standing.js';
export { replay, step, type StepResult } from './step.js';
export {
  checkMachine,
  DEVICE_STATUSES,
  ROLLOUT_STATUSES,
  TABLE,
  type DeviceStatus,
  type RolloutStatus,
} from './table.js';
export { judgeAccuracy, type AccuracyNumbers, type EvidenceVerdict } from './gates/accuracy.js';
export {
  judgeDeviceShare,
  sortByWindows,
  type DeviceMetric,
  type DeviceShareNumbers,
  type Windows,
} from './gates/device-share.js';
export {
  DEVICE_METRICS,
  errorOf,
  judgeVariant,
  metricsOf,
  type Evidence,
  type Metric,
  type VariantEvidence,
} from './gates/evidence.js';
export { EvidenceLedger, type MeasuredWindow } from './gates/ledger.js';
