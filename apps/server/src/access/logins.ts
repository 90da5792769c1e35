import { Injectable } from '@nestjs/common';
import { ServerError } from '../errors.js';
import { Accounts } from './accounts.js';
import { Attempts } from './attempts.js';
import type { Caller } from './caller.js';
import type { AccountView, LoginRequest, NewSession, PasswordChange } from './schemas.js';
import { Tokens } from './tokens.js';

const WINDOW_MS = 15 * 60_000;
const KEYS = 10_000;

/** Lets those in who know their password; guessing is slowed by account and by address. */
@Injectable()
export class Logins {
  private readonly byAccount = new Attempts({ failures: 10, windowMs: WINDOW_MS, keys: KEYS });
  private readonly byAddress = new Attempts({ failures: 30, windowMs: WINDOW_MS, keys: KEYS });

  constructor(
    private readonly accounts: Accounts,
    private readonly tokens: Tokens,
  ) {}

  /** @throws ServerError LOGIN_REFUSED, TOO_MANY_ATTEMPTS, SERVER_BUSY */
  async begin({ name, password }: LoginRequest, address: string): Promise<NewSession> {
    const account = await this.prove(name.toLowerCase(), password, address);
    const { token, expiresAt } = await this.tokens.begin(account.name, account.role);
    const { role } = account;
    return { token, account: { name: account.name, role }, expiresAt: expiresAt.toISOString() };
  }

  /**
   * Changes the caller's own password; its other sessions end.
   * @throws ServerError SESSION_NEEDED, LOGIN_REFUSED, TOO_MANY_ATTEMPTS, SERVER_BUSY
   */
  async changePassword(
    caller: Caller,
    { current, password }: PasswordChange,
    address: string,
  ): Promise<void> {
    if (caller.by !== 'session') {
      throw new ServerError('SESSION_NEEDED', 403, 'Log in with the password that is to change.');
    }
    await this.prove(caller.name, current, address);
    await this.accounts.change(caller.name, { password }, caller.id);
  }

  private async prove(name: string, password: string, address: string): Promise<AccountView> {
    const now = Date.now();
    const waitMs = Math.max(this.byAccount.waitMs(name, now), this.byAddress.waitMs(address, now));
    if (waitMs > 0) {
      throw new ServerError(
        'TOO_MANY_ATTEMPTS',
        429,
        `Too many passwords were wrong; try again in ${Math.ceil(waitMs / 1000)} s.`,
      );
    }
    // Counted before the check, so that many at once are not let through together.
    this.byAccount.fail(name, now);
    this.byAddress.fail(address, now);
    const account = await this.accounts.verify(name, password);
    if (!account) throw new ServerError('LOGIN_REFUSED', 401, 'Name or password is not right.');
    this.byAccount.forget(name);
    this.byAddress.undo(address);
    return account;
  }
}
