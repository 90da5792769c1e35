import { z } from 'zod';

/** What a fused operation does, as far as its cost goes. */
export const NODE_KINDS = [
  'conv',
  'gemm',
  'add',
  'elementwise',
  'transcendental',
  'pool',
  'softmax',
  'transpose',
  'copy',
  'view',
  'quantize',
  'dequantize',
] as const;
export type NodeKind = (typeof NODE_KINDS)[number];

const size = z.number().int().nonnegative();

/**
 * One operation after the fusions that every processor gets. Dimensions are those of batch 1;
 * a matrix product has `cin` = K, `cout` = N, `oh` = M. `pads` are top, left, bottom, right.
 */
export const costNodeSchema = z.object({
  name: z.string(),
  kind: z.enum(NODE_KINDS),
  int8: z.boolean(),
  /** Positions of the operations that it reads; -1: an input of the model. */
  inputs: z.array(z.number().int().min(-1)),
  cin: size,
  cout: size,
  ih: size,
  iw: size,
  oh: size,
  ow: size,
  group: z.number().int().min(1),
  kh: size,
  kw: size,
  stride: z.number().int().min(1),
  pads: z.tuple([size, size, size, size]),
  /** The activation fused into it; convolutions compute ReLU within, others in a pass of its own. */
  activation: z.enum(['none', 'relu', 'other']),
  /** For a sum: the convolution that may take it over, where the layout allows. */
  mergesInto: z.number().int().min(0).nullable(),
});
export type CostNode = z.infer<typeof costNodeSchema>;

/** What a model costs, apart from any device: plain JSON, kept beside a candidate. */
export const candidateCostsSchema = z.object({
  schemaVersion: z.literal(1),
  precision: z.enum(['fp32', 'int8']),
  nodes: z.array(costNodeSchema).max(100_000),
  /** Bytes of all constants. */
  weightBytes: size,
  /** Most bytes of activations alive at one time. */
  arenaBytes: size,
  inputBytes: size,
  outputBytes: size,
});
export type CandidateCosts = z.infer<typeof candidateCostsSchema>;
