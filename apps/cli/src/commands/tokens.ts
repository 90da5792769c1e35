import type { Command } from 'commander';
import { createToken, listTokens, revokeToken } from '../api/access.js';
import { whole } from '../option-values.js';
import { ago } from '../output/figures.js';
import { table } from '../output/terminal.js';
import { roleOption } from './accounts.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

interface CreateOptions extends ApiOptions {
  readonly role?: string;
  readonly expiresInDays?: number;
}

/** Tokens for programs that use the API. */
export function addTokens(program: Command, context: Context): void {
  const group = program.command('tokens').description('tokens with which programs use the server');

  apiCommand(group, 'create', 'a token for a program; it is shown this once')
    .argument('<name>', 'what it is for')
    .addOption(roleOption())
    .option('--expires-in-days <N>', 'how long it is good; without it, until revoked', whole(1))
    .action(async (name: string, options: CreateOptions) => {
      const { role, expiresInDays } = options;
      const made = await createToken(connect(options, context), {
        name,
        ...(role === undefined ? {} : { role }),
        ...(expiresInDays === undefined ? {} : { expiresInDays }),
      });
      show(made, options, context, ({ token }) => token);
    });

  apiCommand(group, 'list', 'your tokens; to an admin, those of all').action(
    async (options: ApiOptions) => {
      const { tokens } = await listTokens(connect(options, context));
      show(tokens, options, context, () => {
        if (tokens.length === 0) return 'No tokens. `espalier tokens create` makes one.';
        const now = Date.now();
        return table(
          context.terminal,
          ['token', 'for', 'account', 'role', 'made', 'good until'],
          tokens.map(({ id, name, account, role, createdAt, expiresAt }) => [
            ...[id, name, account, role, ago(createdAt, now), expiresAt ?? 'revoked'],
          ]),
        );
      });
    },
  );

  apiCommand(group, 'revoke', 'ends a token at once')
    .argument('<token>', 'its id, as `tokens list` shows it')
    .action(async (id: string, options: ApiOptions) => {
      await revokeToken(connect(options, context), id);
      show({ revoked: id }, options, context, () => `${id} is good no more.`);
    });
}
