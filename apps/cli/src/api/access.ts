import { z } from 'zod';
import type { ApiClient } from './client.js';

const whoSchema = z.object({ name: z.string(), role: z.string() });

export const sessionSchema = z.object({ account: whoSchema, expiresAt: z.string().nullable() });
export type Session = z.infer<typeof sessionSchema>;
const newSessionSchema = sessionSchema.extend({ token: z.string() });

const nothingSchema = z.undefined();

/** Logs in. */
export const beginSession = (
  api: ApiClient,
  login: { name: string; password: string },
): Promise<z.infer<typeof newSessionSchema>> => api.post('/sessions', login, newSessionSchema);

export const currentSession = (api: ApiClient): Promise<Session> =>
  api.get('/sessions/current', sessionSchema);

/** Logs out: the token that it was asked with is good no more. */
export const endSession = (api: ApiClient): Promise<void> =>
  api.delete('/sessions/current', nothingSchema);

const accountSchema = z.object({
  name: z.string(),
  role: z.string(),
  disabledAt: z.string().nullable(),
  createdAt: z.string(),
});
export type Account = z.infer<typeof accountSchema>;

export const listAccounts = (api: ApiClient): Promise<{ accounts: Account[] }> =>
  api.get('/accounts', z.object({ accounts: z.array(accountSchema) }));

export const createAccount = (
  api: ApiClient,
  request: { name: string; role: string; password: string },
): Promise<Account> => api.post('/accounts', request, accountSchema);

export const changeAccount = (
  api: ApiClient,
  name: string,
  patch: { role?: string; password?: string; disabled?: boolean },
): Promise<Account> => api.patch(`/accounts/${encodeURIComponent(name)}`, patch, accountSchema);

/** Changes the password of the account that asks. */
export const changeOwnPassword = (
  api: ApiClient,
  change: { current: string; password: string },
): Promise<void> => api.put('/sessions/current/password', change, nothingSchema);

const tokenSchema = z.object({
  id: z.string(),
  name: z.string(),
  account: z.string(),
  role: z.string(),
  createdAt: z.string(),
  expiresAt: z.string().nullable(),
});
export type Token = z.infer<typeof tokenSchema>;
const newTokenSchema = tokenSchema.extend({ token: z.string() });

export const listTokens = (api: ApiClient): Promise<{ tokens: Token[] }> =>
  api.get('/tokens', z.object({ tokens: z.array(tokenSchema) }));

export const createToken = (
  api: ApiClient,
  request: { name: string; role?: string; expiresInDays?: number },
): Promise<z.infer<typeof newTokenSchema>> => api.post('/tokens', request, newTokenSchema);

export const revokeToken = (api: ApiClient, id: string): Promise<void> =>
  api.delete(`/tokens/${encodeURIComponent(id)}`, nothingSchema);
