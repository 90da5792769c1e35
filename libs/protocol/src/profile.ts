import { z } from 'zod';
import { PROFILE_SCHEMA_VERSION } from './kernels.js';
import { bytesSchema, instantSchema } from './primitives.js';

/** Time of one kernel at one setting. */
export const kernelTimeSchema = z.object({
  id: z.string().max(64),
  precision: z.enum(['fp32', 'int8']),
  threads: z.number().int().min(1).max(1024),
  /** Median over the runs, milliseconds for one call of the kernel alone. */
  medianMs: z.number().nonnegative(),
  /** One run of the short chain and of the long one that it is the difference of, milliseconds. */
  chainsMs: z.tuple([z.number().nonnegative(), z.number().nonnegative()]).optional(),
  /**
   * The probe right before and after the runs of each chain, the slower of both, milliseconds: how busy
   * the machine was with something else meanwhile.
   */
  statesMs: z.tuple([z.number().nonnegative(), z.number().nonnegative()]).optional(),
  /** Interquartile range over the median. */
  spread: z.number().nonnegative(),
  runs: z.number().int().min(1),
});
export type KernelTime = z.infer<typeof kernelTimeSchema>;

/**
 * What was measured while the probe was at most so much slower than in the machine's best state is
 * undisturbed: alone, its answers differ by a few percent, and whatever shares a processor with it costs
 * it a fifth or more.
 */
export const STEADY = 1.1;
/** The best state: so large a share of the probe's answers is faster. */
export const BEST_SHARE = 0.05;

/** Beyond this share of disturbed kernels a fit that leaves out what lies far off has too little left. */
export const MOST_DISTURBED = 0.25;

/** What a device measured of itself. */
export const profileSchema = z.object({
  /** Older ones hold other kernels; what both know is used. */
  schemaVersion: z.number().int().min(1).max(PROFILE_SCHEMA_VERSION),
  measuredAt: instantSchema,
  agentVersion: z.string().max(32),
  runtime: z.object({
    name: z.string().max(64),
    version: z.string().max(32),
    /** Channels in a block of the layout that the runtime converts convolutions to; 1: it has none. */
    convBlock: z.number().int().min(1).max(64).optional(),
  }),
  cpu: z.object({
    model: z.string().max(256),
    arch: z.string().max(32),
    cores: z.number().int().min(1).max(4096),
    /** Instruction sets that matter to the runtime, such as `avx2`, `avx512_vnni`, `asimddp`. */
    isa: z.array(z.string().max(32)).max(64),
    frequencyMHz: z.number().positive().nullable(),
    temperatureC: z.number().nullable(),
    /** What the last cache before memory holds; absent or null: not known. */
    cacheBytes: bytesSchema.nullable().optional(),
    /** What the largest cache below that holds; absent or null: not known. */
    nearCacheBytes: bytesSchema.nullable().optional(),
  }),
  memory: z.object({
    totalBytes: bytesSchema,
    /** What the agent may use: its configured limit, the cgroup's, or the total. */
    limitBytes: bytesSchema,
    limitedBy: z.enum(['configuration', 'cgroup', 'machine']),
    freeBytes: bytesSchema,
    /** Resident set of a process with the runtime and no model loaded. */
    runtimeBytes: bytesSchema,
  }),
  storage: z.object({
    freeBytes: bytesSchema,
    limitBytes: bytesSchema,
    limitedBy: z.enum(['configuration', 'machine']),
  }),
  /** Set when a slower processor is only emulated: every time was multiplied by this factor. */
  emulatedSlowdown: z.number().min(1).nullable(),
  /** One call into the runtime with a graph that does nothing, milliseconds by thread count. */
  callOverheadMs: z.array(z.object({ threads: z.number().int().min(1), ms: z.number() })).max(8),
  kernels: z.array(kernelTimeSchema).max(512),
  /** Share of the kernels that something else on the machine disturbed at every try. */
  disturbed: z.number().min(0).max(1).optional(),
  /** The probe, a short chain, at all threads in the best state that was seen, milliseconds. */
  probeMs: z.number().nonnegative().nullable().optional(),
  measuringSeconds: z.number().nonnegative(),
  /** Largest resident memory of the process that measured. */
  measuringPeakBytes: bytesSchema.optional(),
});
export type Profile = z.infer<typeof profileSchema>;

/** The limits that a budget can name. */
export const BUDGET_LIMITS = [
  'latencyP95Ms',
  'peakRamBytes',
  'storageBytes',
  'transferBytes',
  'minAccuracy',
] as const;
export type BudgetLimit = (typeof BUDGET_LIMITS)[number];

/** What a device may spend; absent means no limit. */
export const budgetSchema = z.object({
  latencyP95Ms: z.number().positive().optional(),
  peakRamBytes: bytesSchema.optional(),
  storageBytes: bytesSchema.optional(),
  transferBytes: bytesSchema.optional(),
  minAccuracy: z.number().min(0).max(1).optional(),
  /** Limits that are wishes: reported when broken, but they exclude nothing. */
  soft: z.array(z.enum(BUDGET_LIMITS)).max(BUDGET_LIMITS.length).optional(),
});
export type Budget = z.infer<typeof budgetSchema>;
