import type { z } from 'zod';
import type { Prisma } from '../generated/prisma/client.js';

/** A value as a JSON column takes it; NUL, which PostgreSQL refuses in text, is replaced. */
export const toJson = (value: unknown): Prisma.InputJsonValue =>
  JSON.parse(JSON.stringify(value), (_, part: unknown) =>
    typeof part === 'string' ? part.replaceAll('\0', '\ufffd') : part,
  ) as Prisma.InputJsonValue;

/** Reads a JSON column through its schema. */
export const fromJson = <T>(schema: z.ZodType<T>, value: Prisma.JsonValue): T =>
  schema.parse(value);
