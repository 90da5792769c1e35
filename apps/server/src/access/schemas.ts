import { instantSchema } from '@espalier/protocol';
import { z } from 'zod';
import { ROLES } from './roles.js';

const SHORTEST_PASSWORD = 12;

export const roleSchema = z.enum(ROLES);

export const accountNameSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._@-]{0,63}$/, 'must be of a-z, 0-9, ., _, @ and -, at most 64');

/** Long, and anything else: what makes it hard to guess is for its owner to choose. */
export const passwordSchema = z.string().min(SHORTEST_PASSWORD).max(256);

export const loginSchema = z.strictObject({
  name: z.string().min(1).max(64),
  password: z.string().min(1).max(256),
});
export type LoginRequest = z.infer<typeof loginSchema>;

const whoSchema = z.object({ name: z.string(), role: roleSchema });

export const sessionSchema = z.object({ account: whoSchema, expiresAt: instantSchema.nullable() });
export type SessionView = z.infer<typeof sessionSchema>;

export const newSessionSchema = sessionSchema.extend({ token: z.string() });
export type NewSession = z.infer<typeof newSessionSchema>;

export const accountSchema = z.object({
  name: accountNameSchema,
  role: roleSchema,
  disabledAt: instantSchema.nullable(),
  createdAt: instantSchema,
});
export type AccountView = z.infer<typeof accountSchema>;

export const accountListSchema = z.object({ accounts: z.array(accountSchema) });

export const accountRequestSchema = z.strictObject({
  name: accountNameSchema,
  role: roleSchema,
  password: passwordSchema,
});
export type AccountRequest = z.infer<typeof accountRequestSchema>;

export const accountPatchSchema = z.strictObject({
  role: roleSchema.optional(),
  password: passwordSchema.optional(),
  disabled: z.boolean().optional(),
});
export type AccountPatch = z.infer<typeof accountPatchSchema>;

export const passwordChangeSchema = z.strictObject({
  current: z.string().min(1).max(256),
  password: passwordSchema,
});
export type PasswordChange = z.infer<typeof passwordChangeSchema>;

export const tokenRequestSchema = z.strictObject({
  name: z.string().min(1).max(64),
  /** Most that the token may do; by default what its account may. */
  role: roleSchema.optional(),
  expiresInDays: z.number().int().min(1).max(3650).optional(),
});
export type TokenRequest = z.infer<typeof tokenRequestSchema>;

export const tokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  account: z.string(),
  role: roleSchema,
  createdAt: instantSchema,
  expiresAt: instantSchema.nullable(),
});
export type TokenView = z.infer<typeof tokenSchema>;

export const tokenListSchema = z.object({ tokens: z.array(tokenSchema) });

/** The token's text is in this answer, and nowhere else. */
export const newTokenSchema = tokenSchema.extend({ token: z.string() });
export type NewToken = z.infer<typeof newTokenSchema>;
