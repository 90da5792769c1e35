export * from './errors.js';
export { type Inspection, inspectModel } from './inspect.js';
export { compress } from './pipeline/compress.js';
export { compressPareto } from './pipeline/pareto.js';
export {
  type Artifact,
  type CompressHooks,
  type CompressProgress,
  type CompressRequest,
  type CompressResult,
  type Goal,
  GOAL_NAMES,
  type LatencyEstimator,
  type ParetoResult,
  type Precision,
} from './pipeline/request.js';
export {
  type CompressionReport,
  compressionReportSchema,
  type ParetoDocument,
  paretoSchema,
  REPORT_SCHEMA_VERSION,
} from './report/report.js';
