import { foldConstants, type Model } from '@espalier/onnx';
import { dropInferenceNoops } from './drop-inference-noops.js';
import { foldBatchNormalization } from './fold-batch-normalization.js';
import { fuseMatmulAdd } from './fuse-matmul-add.js';

/** Passes that keep what a model computes and make it plainer to prune, in their order. */
export const PREPARE_PASSES: readonly ((model: Model) => Model)[] = [
  foldConstants,
  dropInferenceNoops,
  fuseMatmulAdd,
  foldBatchNormalization,
];

/** Runs every preparing pass. */
export function prepareModel(model: Model): Model {
  return PREPARE_PASSES.reduce((current, pass) => pass(current), model);
}
