import { queryOptions, useQueryClient } from '@tanstack/react-query';
import { api, ApiError, taken } from '../api/client';

/** Who is signed in. */
export interface Account {
  readonly name: string;
  readonly role: string;
}

/** Only that there was a session; its token is a cookie that no script can read. */
const HINT = 'espalier-signed-in';

/** The account of this browser's session; null: nobody is signed in. */
export const sessionQuery = queryOptions({
  queryKey: ['session'],
  staleTime: Infinity,
  queryFn: async (): Promise<Account | null> => {
    if (localStorage.getItem(HINT) === null) return null;
    try {
      return (await taken(api.GET('/api/v1/sessions/current'))).account;
    } catch (cause) {
      if (!(cause instanceof ApiError) || cause.status !== 401) throw cause;
      localStorage.removeItem(HINT);
      return null;
    }
  },
});

/** Begins and ends the session of this browser. */
export function useSession() {
  const client = useQueryClient();
  return {
    signIn: async (name: string, password: string): Promise<void> => {
      const { account } = await taken(api.POST('/api/v1/sessions', { body: { name, password } }));
      localStorage.setItem(HINT, '1');
      client.setQueryData(sessionQuery.queryKey, account);
    },
    signOut: async (): Promise<void> => {
      await taken(api.DELETE('/api/v1/sessions/current') as never);
      localStorage.removeItem(HINT);
      client.clear();
      client.setQueryData(sessionQuery.queryKey, null);
    },
  };
}
