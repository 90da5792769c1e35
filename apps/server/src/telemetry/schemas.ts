import { instantSchema, telemetrySchema } from '@espalier/protocol';
import { z } from 'zod';

export const telemetryQuerySchema = z.object({
  since: instantSchema.optional(),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
});
export type TelemetryQuery = z.infer<typeof telemetryQuerySchema>;

export const telemetryPageSchema = z.object({ windows: z.array(telemetrySchema) });
