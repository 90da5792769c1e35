import { profileSchema } from '@espalier/protocol';
import { z } from 'zod';

/** What the measuring process is told. */
export const measuringSettingsSchema = z.object({
  stateDir: z.string().min(1),
  /** Time for all kernels together. */
  milliseconds: z.number().positive(),
  /** Fewer kernels, at one thread. */
  quick: z.boolean(),
});
export type MeasuringSettings = z.infer<typeof measuringSettingsSchema>;

/** What the measuring process answers. */
export const measuredSchema = z.object({
  cpu: profileSchema.shape.cpu,
  runtimeVersion: z.string().max(32),
  convBlock: z.number().int().min(1),
  runtimeBytes: z.number().int().nonnegative(),
  callOverheadMs: profileSchema.shape.callOverheadMs,
  kernels: profileSchema.shape.kernels,
  disturbed: z.number().min(0).max(1),
  probeMs: z.number().nullable(),
  measuringSeconds: z.number().nonnegative(),
  peakRssBytes: z.number().int().nonnegative(),
});
export type Measured = z.infer<typeof measuredSchema>;
