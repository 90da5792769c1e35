import { z } from 'zod';

/** What a rollout would do: the answer of `/api/v1/rollouts/preview`. */
export const rolloutPreviewSchema = z.object({
  devices: z.number().int(),
  controls: z.number().int(),
  variants: z.array(
    z.object({
      variantId: z.string(),
      precision: z.string(),
      devices: z.number().int(),
      artifactBytes: z.number().int(),
      /** As the compression report gives it; null: not measured there. */
      expectedAccuracy: z.number().nullable(),
    }),
  ),
  stages: z.array(
    z.object({
      name: z.string(),
      devices: z.number().int(),
      bytes: z.number().int(),
      seconds: z.number(),
    }),
  ),
  /** Payload bytes if every device is sent its artifact once, by itself. */
  bytes: z.number().int(),
  /** At least: soak, rate and slots, and what a device took in earlier rollouts. */
  seconds: z.number(),
  /** Median seconds from target to success that the estimate rests on; null: none measured yet. */
  deviceSeconds: z.number().nullable(),
  /** Mean over the devices, by the reports' evaluation; null where one has none. */
  expectedAccuracy: z.object({ before: z.number(), after: z.number() }).nullable(),
  misfits: z.array(z.object({ deviceId: z.string(), why: z.string() })),
});
export type RolloutPreview = z.infer<typeof rolloutPreviewSchema>;

/** A rollout's events played again: the answer of `/api/v1/rollouts/{id}/replay`. */
export const rolloutReplaySchema = z.object({
  events: z.number().int(),
  decisions: z.number().int(),
  /** Whether the recorded events lead to the recorded decisions, number for number. */
  identical: z.boolean(),
});
