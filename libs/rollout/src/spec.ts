import { z } from 'zod';
import { RolloutError } from './errors.js';

const share = z.number().min(0).max(1);

/** What a rollout may do and when it must stop; strict, so that a misspelt threshold is an error. */
export const rolloutSpecSchema = z.strictObject({
  /** Cumulative percent of the devices after each stage; rising, the last is 100. */
  stages: z
    .array(z.strictObject({ percent: z.number().gt(0).max(100) }))
    .min(1)
    .max(20),
  gate: z.strictObject({
    /** Largest share of failed among a stage's devices that gave a result. */
    maxFailedShare: share,
    /** Results (active or failed) that a stage must have before its share means anything. */
    minSample: z.number().int().min(1),
    /** Largest share of a stage's devices that may stay silent. */
    maxMissingShare: share.default(0.5),
    /** What is stopped when a share is over: everything, or the variant that failed. */
    scope: z.enum(['rollout', 'variant']).default('rollout'),
  }),
  /** Seconds that a settled stage is watched before the next one opens. */
  soakSeconds: z
    .number()
    .min(0)
    .max(30 * 86_400),
  /** Seconds that a device has from its first target to its result; also for going back. */
  deviceDeadlineSeconds: z
    .number()
    .min(1)
    .max(30 * 86_400),
  /** Times that one device may be tried before it counts as failed. */
  maxAttempts: z.number().int().min(1).max(10).default(2),
  /** Seconds before the second try; doubled for each one after. */
  retrySeconds: z.number().min(0).max(86_400).default(5),
  /** Most devices at work at once; devices with a result hold no slot. */
  maxInFlight: z.number().int().min(1).max(100_000).default(500),
});
export type RolloutSpec = z.infer<typeof rolloutSpecSchema>;
export type RolloutSpecInput = z.input<typeof rolloutSpecSchema>;

/**
 * Parses and checks a specification.
 * @throws RolloutError ROLLOUT_SPEC, ROLLOUT_STAGES
 */
export function parseSpec(input: unknown): RolloutSpec {
  const parsed = rolloutSpecSchema.safeParse(input);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where = issue && issue.path.length > 0 ? issue.path.join('.') : 'the rollout';
    throw new RolloutError('ROLLOUT_SPEC', `${where}: ${issue?.message ?? 'is not valid'}.`);
  }
  const percents = parsed.data.stages.map((stage) => stage.percent);
  percents.forEach((percent, index) => {
    const before = percents[index - 1] ?? 0;
    if (percent <= before) {
      throw new RolloutError(
        'ROLLOUT_STAGES',
        `stages.${index}.percent is ${percent}, not over the ${before} before it; percents are cumulative.`,
      );
    }
  });
  if (percents.at(-1) !== 100) {
    throw new RolloutError('ROLLOUT_STAGES', 'The last stage must reach 100 percent.');
  }
  return parsed.data;
}
