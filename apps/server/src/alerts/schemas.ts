import { instantSchema } from '@espalier/protocol';
import { z } from 'zod';

/** What a rule watches, and which way it goes bad. */
export const ALERT_METRICS = {
  /** Share of labelled items that were right; where no labels come, as estimated from confidence. */
  accuracy: { bad: 'below', about: 'variant' },
  /** Share of shadow samples to which the dense model gives the same class. */
  agreement: { bad: 'below', about: 'variant' },
  /** Days in which everything that the rule covers would show so much evidence once by chance. */
  drift: { bad: 'above', about: 'variant' },
  /** p95 in milliseconds. */
  latency: { bad: 'above', about: 'variant' },
  /** Largest resident set in MiB. */
  memory: { bad: 'above', about: 'variant' },
  /** Restarts in an hour of a device's serving. */
  'crash-loop': { bad: 'above', about: 'variant' },
  /** Share of the devices that serve a model but were not heard for the window. */
  silence: { bad: 'above', about: 'fleet' },
} as const;
export type AlertMetric = keyof typeof ALERT_METRICS;
const metricSchema = z.enum(Object.keys(ALERT_METRICS) as [AlertMetric, ...AlertMetric[]]);

export const actionsSchema = z.strictObject({
  /** Told when an alert is raised and when it is cleared; the secret signs, and is not shown again. */
  webhook: z
    .strictObject({
      url: z.url({ protocol: /^https?$/ }).max(2048),
      secret: z.string().min(16).max(256),
    })
    .optional(),
  /** Pauses the rollouts under way of the release that the alert is about. */
  pauseRollouts: z.boolean().default(false),
  /** Has the tuning policies of the release plan anew for devices that have the variant. */
  planAgain: z.boolean().default(false),
});
export type AlertActions = z.infer<typeof actionsSchema>;

const goodSide = ({
  metric,
  raise,
  clear,
}: {
  metric: AlertMetric;
  raise: number;
  clear: number;
}) => (ALERT_METRICS[metric].bad === 'above' ? clear <= raise : clear >= raise);

const ruleShape = {
  name: z.string().min(1).max(64),
  metric: metricSchema,
  raise: z.number(),
  /** Between the two thresholds an alert stays as it is. */
  clear: z.number(),
  /** How long it must be bad before it is said, and good before it is over. */
  forSeconds: z.number().min(0).max(86_400).default(60),
  /** Over how much time each reading goes. */
  windowSeconds: z.number().min(60).max(86_400).default(300),
  /** Labelled items, shadow samples, inferences or devices (of drift and silence) that a reading needs. */
  minimum: z.number().int().min(1).default(1),
  /** To what it is limited; by default everything. */
  releaseId: z.string().max(128).optional(),
  model: z.string().max(128).optional(),
  selector: z.string().max(1024).default(''),
};

export const ruleRequestSchema = z
  .strictObject({ ...ruleShape, actions: actionsSchema.prefault({}) })
  .refine(goodSide, { path: ['clear'], message: 'must be on the good side of raise' });
export type RuleRequest = z.infer<typeof ruleRequestSchema>;

export const ruleSchema = z.object({
  ...ruleShape,
  id: z.string(),
  actions: z.object({
    webhook: z.object({ url: z.string() }).nullable(),
    pauseRollouts: z.boolean(),
    planAgain: z.boolean(),
  }),
  createdAt: instantSchema,
});
export type RuleView = z.infer<typeof ruleSchema>;
export const rulesSchema = z.object({ rules: z.array(ruleSchema) });

/** What an alert is about; of a fleet's silence both are null. */
export const subjectSchema = z.object({
  releaseId: z.string().nullable(),
  variantId: z.string().nullable(),
});
export type AlertSubject = z.infer<typeof subjectSchema>;

export const alertSchema = subjectSchema.extend({
  id: z.string(),
  ruleId: z.string(),
  name: z.string(),
  metric: metricSchema,
  state: z.enum(['active', 'cleared']),
  /** When it was raised or, once it is over, cleared. */
  value: z.number(),
  /** What the value was measured by when it was raised; an estimate says that it is one. */
  restsOn: z.string().nullable(),
  raisedAt: instantSchema,
  clearedAt: instantSchema.nullable(),
  acknowledgedAt: instantSchema.nullable(),
  acknowledgedBy: z.string().nullable(),
});
export type AlertView = z.infer<typeof alertSchema>;

export const alertQuerySchema = z.object({
  state: z.enum(['active', 'cleared']).optional(),
  limit: z.coerce.number().int().min(1).max(500).default(100),
});
export type AlertQuery = z.infer<typeof alertQuerySchema>;
export const alertsSchema = z.object({ alerts: z.array(alertSchema) });
