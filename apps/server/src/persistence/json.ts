import type { z } from 'zod';
import type { Prisma } from '../generated/prisma/client.js';

/** A value as a JSON column takes it; NUL, which PostgreSQL refuses in text, is replaced. */
export const toJson = (value: unknown): Prisma.InputJsonValue =>
  JSON.parse(JSON.stringify(value), (_, part: unknown) =>
    typeof part === 'string' ? part.replaceAll('\0', '\ufffd') : part,
  ) as Prisma.InputJsonValue;

/** A value as a statement of plain SQL gives it to a JSON column. */
export const jsonText = (value: unknown): string => JSON.stringify(toJson(value));

/** Reads a JSON column through its schema. */
export const fromJson = <T>(schema: z.ZodType<T>, value: Prisma.JsonValue): T =>
  schema.parse(value);

/**
 * A value as a JSON column takes it number for number: as one text. Prisma reads the numbers of a
 * JSON column only to within their last digit, and a log that replays needs them all.
 */
export const toExactJson = (value: unknown): Prisma.InputJsonValue =>
  toJson(JSON.stringify(toJson(value)));

/** Reads what {@link toExactJson} wrote. */
export const fromExactJson = <T>(value: Prisma.JsonValue): T =>
  (typeof value === 'string' ? JSON.parse(value) : value) as T;
