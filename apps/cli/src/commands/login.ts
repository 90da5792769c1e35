import type { Command } from 'commander';
import { beginSession, currentSession, endSession, type Session } from '../api/access.js';
import { ApiClient } from '../api/client.js';
import { ApiProblem } from '../errors.js';
import { readPassword } from '../login/password-input.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

/** Sessions with a server: begun, shown and ended. */
export function addLogin(program: Command, context: Context): void {
  const { logins, signal } = context;

  apiCommand(program, 'login', 'logs in at a server; other commands then use its token')
    .option('--name <name>', 'name of the account', 'admin')
    .option('--password-stdin', 'read the password from standard input')
    .action(async (options: ApiOptions & { name: string; passwordStdin?: boolean }) => {
      const { server, name } = options;
      const password = await readPassword(`Password of ${name} at ${server}: `, options, signal);
      const { token, ...session } = await beginSession(new ApiClient(server, null, signal), {
        ...{ name, password },
      });
      const { account, expiresAt } = session;
      logins.keep(server, { name: account.name, token, expiresAt });
      show(session, options, context, sessionText);
    });

  apiCommand(program, 'logout', 'ends the login at a server').action(
    async (options: ApiOptions) => {
      try {
        await endSession(connect(options, context));
      } catch (error) {
        // Ended already, which is what was asked for.
        if (!(error instanceof ApiProblem) || error.status !== 401) throw error;
      }
      logins.forget(options.server);
      show(
        { server: options.server },
        options,
        context,
        ({ server }) => `Logged out at ${server}.`,
      );
    },
  );

  apiCommand(program, 'whoami', 'the account that commands act as, and its role').action(
    async (options: ApiOptions) => {
      show(await currentSession(connect(options, context)), options, context, sessionText);
    },
  );
}

const sessionText = ({ account, expiresAt }: Session): string =>
  `${account.name}, ${account.role}${expiresAt === null ? '' : `, until ${expiresAt}`}`;
