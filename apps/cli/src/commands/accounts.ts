import { Option, type Command } from 'commander';
import {
  changeAccount,
  changeOwnPassword,
  createAccount,
  listAccounts,
  type Account,
} from '../api/access.js';
import { readPassword, type PasswordSource } from '../login/password-input.js';
import { ago } from '../output/figures.js';
import { table } from '../output/terminal.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

/** `--role`, of those that the server knows. */
export const roleOption = (): Option =>
  new Option('--role <role>', 'what it may do').choices(['viewer', 'operator', 'admin']);

/** Who may use the server, and as what. */
export function addAccounts(program: Command, context: Context): void {
  const group = program.command('accounts').description('who may use the server, and for what');
  const { signal } = context;
  const tell = (account: Account, options: ApiOptions): void =>
    show(account, options, context, () => accountsText([account], context));

  apiCommand(group, 'list', 'accounts and their roles').action(async (options: ApiOptions) => {
    const { accounts } = await listAccounts(connect(options, context));
    show(accounts, options, context, () => accountsText(accounts, context));
  });

  apiCommand(group, 'create', 'a new account; its password is asked for')
    .argument('<name>')
    .addOption(roleOption().default('viewer'))
    .option('--password-stdin', 'read the password from standard input')
    .action(async (name: string, options: ApiOptions & PasswordSource & { role: string }) => {
      const password = await readPassword(`Password for ${name}: `, options, signal);
      const { role } = options;
      tell(await createAccount(connect(options, context), { name, role, password }), options);
    });

  apiCommand(group, 'role', 'gives an account another role')
    .argument('<name>')
    .addOption(roleOption().makeOptionMandatory())
    .action(async (name: string, options: ApiOptions & { role: string }) => {
      const { role } = options;
      tell(await changeAccount(connect(options, context), name, { role }), options);
    });

  apiCommand(group, 'password', 'sets the password of another account, and ends its sessions')
    .argument('<name>')
    .option('--password-stdin', 'read the password from standard input')
    .action(async (name: string, options: ApiOptions & PasswordSource) => {
      const password = await readPassword(`New password for ${name}: `, options, signal);
      tell(await changeAccount(connect(options, context), name, { password }), options);
    });

  apiCommand(group, 'passwd', 'changes your own password').action(async (options: ApiOptions) => {
    const api = connect(options, context);
    const current = await readPassword('Current password: ', {}, signal);
    const password = await readPassword('New password: ', {}, signal);
    await changeOwnPassword(api, { current, password });
    show({ changed: true }, options, context, () => 'Changed; your other sessions are over.');
  });

  for (const [name, disabled, description] of [
    ['disable', true, 'ends an account, its sessions and its tokens, until it is enabled'],
    ['enable', false, 'lets a disabled account in again'],
  ] as const) {
    apiCommand(group, name, description)
      .argument('<name>')
      .action(async (account: string, options: ApiOptions) => {
        tell(await changeAccount(connect(options, context), account, { disabled }), options);
      });
  }
}

function accountsText(accounts: readonly Account[], { terminal }: Context): string {
  const now = Date.now();
  return table(
    terminal,
    ['account', 'role', 'state', 'made'],
    accounts.map(({ name, role, disabledAt, createdAt }) => [
      name,
      role,
      disabledAt === null ? 'enabled' : `disabled ${ago(disabledAt, now)}`,
      ago(createdAt, now),
    ]),
  );
}
