export {
  type PlainLayer,
  plainLayerSchema,
  pruneByMagnitude,
  removeDeadNeurons,
} from './magnitude.js';
export { pruneModelByMagnitude } from './magnitude-baseline.js';
export { type LayerSparsity, pruneWeights, type SparsityContext } from './obs-sparsity.js';
export { tensorSegments } from './tensor-segments.js';
