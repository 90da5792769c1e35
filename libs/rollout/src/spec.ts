import { parseSelector, ProtocolError } from '@espalier/protocol';
import { z } from 'zod';
import { RolloutError } from './errors.js';

const DAY_SECONDS = 86_400;
const share = z.number().min(0).max(1);
const seconds = z
  .number()
  .min(0)
  .max(30 * DAY_SECONDS);

/** A stage: exactly one of percent, count and selector says which devices it takes. */
export const stageSchema = z.strictObject({
  /** Percent of the devices that are to be updated once this stage is done, earlier stages' too. */
  percent: z.number().gt(0).max(100).optional(),
  /** The same as a number of devices. */
  count: z.number().int().min(1).optional(),
  /** Devices with these labels that no earlier stage took, `key=value,key2=value2`. */
  selector: z.string().min(3).max(1024).optional(),
  /** Seconds that it is watched once its devices are done, where other than the rollout's. */
  soakSeconds: seconds.optional(),
  /** Whether it opens only once a person has approved it. The first is approved by the start. */
  approval: z.boolean().default(false),
});
export type StageSpec = z.infer<typeof stageSchema>;

/** Devices of a stage whose own figures break a limit: more than `maxShare` of them is harm. */
const limitFields = {
  /** Against what the device itself showed before the rollout. */
  maxRatio: z.number().gt(1).max(100).optional(),
  maxShare: share.default(0.1),
};

export const gateSchema = z.strictObject({
  /** Largest share of failed among a stage's devices that gave a result. */
  maxFailedShare: share,
  /** Results (active or failed) that a stage must have before its share means anything. */
  minSample: z.number().int().min(1),
  /** Largest share of a stage's devices that may stay silent. */
  maxMissingShare: share.default(0.5),
  /** What is stopped when a gate says so: everything, or the variant that failed. */
  scope: z.enum(['rollout', 'variant']).default('rollout'),
  /** Probability that statistical gates stop anything wrongly in the whole rollout. */
  errorBudget: z.number().gt(0).max(0.5).default(0.05),
  /** Seconds after the soak within which evidence must have come; then the rollout holds. */
  waitSeconds: seconds.default(3600),
  /**
   * Loss of accuracy, as a share, against the held-back controls of the same variant, each device
   * compared with itself before. Stops what is shown to lose more than `tolerated`; passes what is
   * shown to lose less than `intolerable`.
   */
  accuracy: z
    .strictObject({
      tolerated: share.default(0.01),
      intolerable: share.default(0.06),
      /** Labelled samples of each arm before anything is said. */
      minLabels: z.number().int().min(1).default(50),
      /** Standard deviation of what one device may gain or lose by itself meanwhile. */
      deviceShift: share.default(0.01),
    })
    .optional(),
  /** 95th percentile of latency. */
  latency: z.strictObject({ maxP95Ms: z.number().gt(0).optional(), ...limitFields }).optional(),
  /** Resident memory of the worker that holds the model. */
  memory: z.strictObject({ maxRssMiB: z.number().gt(0).optional(), ...limitFields }).optional(),
  /** Restarts of the agent since the update. */
  restarts: z
    .strictObject({ maxPerDevice: z.number().int().min(0), maxShare: share.default(0.1) })
    .optional(),
});
export type GateSpec = z.infer<typeof gateSchema>;

const scheduledSchema = z.strictObject({
  at: z.iso.datetime(),
  order: z.enum(['start', 'pause', 'resume', 'abort']),
  mode: z.enum(['keep', 'revert']).default('keep'),
});
export type ScheduledOrder = z.infer<typeof scheduledSchema>;

/** What a rollout may do and when it must stop; strict, so that a misspelt threshold is an error. */
export const rolloutSpecSchema = z.strictObject({
  stages: z.array(stageSchema).min(1).max(20),
  gate: gateSchema,
  /** Devices of each variant that are held back to compare with, percent. */
  control: z
    .strictObject({
      percent: z.number().gt(0).max(50),
      /** Whether they are updated after the last stage, or left for another rollout. */
      release: z.boolean().default(true),
    })
    .optional(),
  /** Seconds that a settled stage is watched before the next one opens. */
  soakSeconds: seconds,
  /** Seconds that a device has from its first target to its result; also for going back. */
  deviceDeadlineSeconds: z
    .number()
    .min(1)
    .max(30 * DAY_SECONDS),
  /** Times that one device may be tried before it counts as failed; the third failure quarantines it. */
  maxAttempts: z.number().int().min(1).max(10).default(3),
  /** Seconds before the second try; doubled for each one after. */
  retrySeconds: z.number().min(0).max(DAY_SECONDS).default(5),
  /** Most devices at work at once; devices with a result hold no slot. */
  maxInFlight: z.number().int().min(1).max(100_000).default(500),
  /** Most devices begun a minute; a tenth of it at once. */
  maxPerMinute: z.number().int().min(1).max(1_000_000).optional(),
  /** Whether devices that match the plan's selector later on join, each in the stage it belongs to. */
  joinLate: z.boolean().default(false),
  /** Whether devices of a variant that is stopped get the next safer one of the same release. */
  replan: z.boolean().default(true),
  /** Seconds that an approval is waited for; then the rollout holds. */
  approvalSeconds: seconds.default(7 * DAY_SECONDS),
  /** Seconds that a rollout may wait for a person (not started, paused, held); then it is aborted. */
  holdSeconds: seconds.min(1).default(14 * DAY_SECONDS),
  /** What becomes of updated devices then. */
  holdEnds: z.enum(['keep', 'revert']).default('keep'),
  /** Orders that are given at set times, in their order. */
  schedule: z.array(scheduledSchema).max(20).default([]),
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
  checkStages(parsed.data.stages);
  checkGate(parsed.data.gate);
  checkSchedule(parsed.data.schedule);
  return parsed.data;
}

function checkStages(stages: readonly StageSpec[]): void {
  let percent = 0;
  let count = 0;
  stages.forEach((stage, index) => {
    const given = [stage.percent, stage.count, stage.selector].filter((way) => way !== undefined);
    if (given.length !== 1) {
      throw new RolloutError(
        'ROLLOUT_STAGES',
        `stages.${index} must have exactly one of percent, count and selector.`,
      );
    }
    if (stage.percent !== undefined) {
      if (stage.percent <= percent) throw notRising(index, 'percent', stage.percent, percent);
      percent = stage.percent;
    }
    if (stage.count !== undefined) {
      if (stage.count <= count) throw notRising(index, 'count', stage.count, count);
      count = stage.count;
    }
    if (stage.selector !== undefined) checkSelector(index, stage.selector);
  });
  if (stages.at(-1)?.percent !== 100) {
    throw new RolloutError('ROLLOUT_STAGES', 'The last stage must reach 100 percent.');
  }
}

function notRising(index: number, what: string, value: number, before: number): RolloutError {
  return new RolloutError(
    'ROLLOUT_STAGES',
    `stages.${index}.${what} is ${value}, not over the ${before} before it; they are cumulative.`,
  );
}

function checkSelector(index: number, selector: string): void {
  try {
    parseSelector(selector);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new RolloutError('ROLLOUT_STAGES', `stages.${index}.${cause.message}`);
  }
}

function checkGate({ accuracy, latency, memory }: GateSpec): void {
  if (accuracy && accuracy.intolerable <= accuracy.tolerated) {
    throw new RolloutError(
      'ROLLOUT_SPEC',
      `gate.accuracy.intolerable is ${accuracy.intolerable}; it must be over tolerated, ${accuracy.tolerated}.`,
    );
  }
  if (latency && latency.maxP95Ms === undefined && latency.maxRatio === undefined) {
    throw new RolloutError('ROLLOUT_SPEC', 'gate.latency needs maxP95Ms, maxRatio or both.');
  }
  if (memory && memory.maxRssMiB === undefined && memory.maxRatio === undefined) {
    throw new RolloutError('ROLLOUT_SPEC', 'gate.memory needs maxRssMiB, maxRatio or both.');
  }
}

function checkSchedule(schedule: readonly ScheduledOrder[]): void {
  schedule.forEach(({ at }, index) => {
    const before = schedule[index - 1];
    if (before && Date.parse(at) < Date.parse(before.at)) {
      throw new RolloutError(
        'ROLLOUT_SPEC',
        `schedule.${index} is earlier than the one before it.`,
      );
    }
  });
}
