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
