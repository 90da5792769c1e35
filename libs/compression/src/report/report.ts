import { z } from 'zod';

/** Version of `report.json` and `pareto.json`. */
export const REPORT_SCHEMA_VERSION = 1;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const measure = z.object({
  sha256,
  bytes: z.number().int(),
  params: z.number().int(),
  macs: z.number().int(),
  /** Weights plus the activation arena at batch 1, without the runtime. */
  peakRamBytes: z.number().int(),
});

/** `report.json`: what a variant is, what it costs and what it keeps. */
export const compressionReportSchema = z.object({
  schemaVersion: z.literal(REPORT_SCHEMA_VERSION),
  model: measure,
  variant: measure.extend({
    precision: z.enum(['fp32', 'int8']),
    numerics: z.object({
      activation: z.string(),
      weight: z.string(),
      isaSafe: z.boolean(),
      measuredOn: z.string(),
    }),
    sparsity: z.number(),
    /** By the group's first producer: its channels, and which were kept. */
    groups: z.record(
      z.string(),
      z.object({ of: z.number().int(), kept: z.array(z.number().int()) }),
    ),
    removedBlocks: z.array(z.string()),
    /** Layers left in floating point by measurement. */
    islands: z.array(z.string()),
  }),
  artifact: z.object({ sha256, bytes: z.number().int(), encoding: z.string() }),
  quality: z
    .object({
      metric: z.string(),
      higherIsBetter: z.boolean(),
      before: z.number(),
      after: z.number(),
      samples: z.number().int(),
      /** Paired 95 % interval of `after - before`. */
      interval: z.tuple([z.number(), z.number()]),
      byClass: z.array(
        z.object({ label: z.string(), samples: z.number(), before: z.number(), after: z.number() }),
      ),
    })
    .nullable(),
  fidelity: z.object({
    meanKl: z.number().optional(),
    meanSquaredError: z.number().optional(),
    /** The mean squared error as a share of the output's variance. */
    ofVariance: z.number().optional(),
    agreement: z.number(),
    samples: z.number().int(),
  }),
  /** What devices' windows are held against, of samples that the variant was not fitted on. */
  reference: z
    .object({
      source: z.enum(['calibration', 'evaluation']),
      samples: z.number().int(),
      /** As `encodeSketch` of libs/evidence writes it. */
      sketch: z.string().max(16_384),
      accuracy: z.number().nullable(),
      /** Log odds of confidence that estimate accuracy without labels; null: no labels. */
      confidenceThreshold: z.number().nullable(),
    })
    .optional(),
  latencyMs: z
    .object({
      predicted: z.number(),
      measured: z.object({ p50: z.number(), p95: z.number(), threads: z.number().int() }),
      profileSha256: sha256.nullable(),
    })
    .nullable(),
  goals: z.array(
    z.object({ name: z.string(), target: z.number(), achieved: z.number(), met: z.boolean() }),
  ),
  /** What stands in the way of the goals that were missed, a sentence each. */
  obstacles: z.array(z.string()).default([]),
  /** Signs that the samples or their card do not fit the model or its measure, a sentence each. */
  warnings: z.array(z.string()).default([]),
  /** Loss and accuracy on the gate split after each stage, and whether the stage was kept. */
  stages: z.array(
    z.object({
      name: z.string(),
      loss: z.number(),
      accuracy: z.number().nullable(),
      kept: z.boolean(),
    }),
  ),
  sensitivity: z.array(
    z.object({
      group: z.string(),
      points: z.array(z.object({ kept: z.number().int(), loss: z.number() })),
    }),
  ),
  /** The front that the search walked, of the structure alone; null where nothing was searched. */
  front: z
    .object({
      /** What `loss` counts: nats, nats plus the share of changed decisions, or error over variance. */
      measure: z.enum(['divergence', 'divergence and changed decisions', 'squared error']),
      points: z.array(
        z.object({
          /** Predicted and not built, built on the way, or the variant itself. */
          kind: z.enum(['predicted', 'tried', 'variant']),
          macs: z.number().int(),
          loss: z.number(),
        }),
      ),
    })
    .nullable()
    .default(null),
  seconds: z.object({ total: z.number(), byStage: z.record(z.string(), z.number()) }),
});
export type CompressionReport = z.infer<typeof compressionReportSchema>;

/** `pareto.json`: every candidate of one calibration, and which are on the front. */
export const paretoSchema = z.object({
  schemaVersion: z.literal(REPORT_SCHEMA_VERSION),
  model: sha256,
  candidates: z.array(
    z.object({
      id: z.string(),
      sha256,
      precision: z.enum(['fp32', 'int8']),
      macs: z.number().int(),
      bytes: z.number().int(),
      artifactBytes: z.number().int(),
      peakRamBytes: z.number().int(),
      loss: z.number(),
      accuracy: z.number().nullable(),
      onFront: z.boolean(),
    }),
  ),
  seconds: z.number(),
});
export type ParetoDocument = z.infer<typeof paretoSchema>;
