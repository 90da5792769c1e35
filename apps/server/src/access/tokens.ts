import { randomBytes } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { Subject, type Observable, filter, map } from 'rxjs';
import { notFound, ServerError } from '../errors.js';
import type { AccessToken } from '../generated/prisma/client.js';
import { Database, type Transaction } from '../persistence/database.js';
import type { Caller } from './caller.js';
import { atLeast, lesser, type Role } from './roles.js';
import { roleSchema, type NewToken, type TokenRequest, type TokenView } from './schemas.js';
import { newSecret, secretSha256, type TokenKind } from './token-secret.js';

const SESSION_HOURS = 12;
const HOUR_MS = 3_600_000;
const TOKENS_PER_ACCOUNT = 100;

interface Wanted {
  readonly kind: TokenKind;
  readonly name: string;
  readonly accountName: string;
  readonly role: Role;
  readonly expiresAt: Date | null;
}

/** Bearer tokens: those of sessions, and those that programs are given. Kept as hashes alone. */
@Injectable()
export class Tokens {
  private readonly gone = new Subject<string>();

  constructor(private readonly database: Database) {}

  /** Begins a session of an account. */
  async begin(accountName: string, role: Role): Promise<{ token: string; expiresAt: Date }> {
    const expiresAt = new Date(Date.now() + SESSION_HOURS * HOUR_MS);
    const { token } = await this.make({
      ...{ kind: 'session', name: 'session', accountName, role, expiresAt },
    });
    return { token, expiresAt };
  }

  /**
   * Makes a token for a program. Only a person's session may: a token that leaks makes no others.
   * @throws ServerError SESSION_NEEDED, ROLE_NEEDED, TOO_MANY_TOKENS
   */
  async create(caller: Caller, request: TokenRequest): Promise<NewToken> {
    if (caller.by !== 'session') {
      throw new ServerError(
        'SESSION_NEEDED',
        403,
        'Tokens are made within the session of a local account: log in with its password.',
      );
    }
    const role = request.role ?? caller.role;
    if (!atLeast(caller.role, role)) {
      throw new ServerError('ROLE_NEEDED', 403, `${caller.name} is ${caller.role}, not ${role}.`);
    }
    const days = request.expiresInDays;
    const { token, row } = await this.make({
      kind: 'api',
      name: request.name,
      accountName: caller.name,
      role,
      expiresAt: days === undefined ? null : new Date(Date.now() + days * 24 * HOUR_MS),
    });
    return { ...viewOf(row), token };
  }

  /** The tokens made for programs: a caller's own, to an admin all of them. */
  async list(caller: Caller): Promise<{ tokens: TokenView[] }> {
    const rows = await this.database.read.accessToken.findMany({
      where: { kind: 'api', ...(caller.role === 'admin' ? {} : { accountName: caller.name }) },
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
    });
    return { tokens: rows.map(viewOf) };
  }

  /** @throws ServerError NOT_FOUND also for the token of another, unless an admin asks */
  async revoke(caller: Caller, id: string): Promise<void> {
    const row = await this.database.read.accessToken.findUnique({ where: { id } });
    const own = row?.accountName === caller.name || caller.role === 'admin';
    if (row?.kind !== 'api' || !own) throw notFound(`token ${id}`);
    await this.end(id);
  }

  /** Ends a token now, and what still goes on with it. */
  async end(id: string): Promise<void> {
    await this.database.write((transaction) =>
      transaction.accessToken.deleteMany({ where: { id } }),
    );
    this.gone.next(id);
  }

  /** Within a write: ends the sessions of an account, or all of its tokens. @returns their ids */
  async endAll(
    transaction: Transaction,
    accountName: string,
    which: { kind?: TokenKind; except?: string } = {},
  ): Promise<string[]> {
    const rows = await transaction.accessToken.findMany({
      where: {
        accountName,
        ...(which.kind ? { kind: which.kind } : {}),
        ...(which.except === undefined ? {} : { id: { not: which.except } }),
      },
      select: { id: true },
    });
    const ids = rows.map(({ id }) => id);
    await transaction.accessToken.deleteMany({ where: { id: { in: ids } } });
    return ids;
  }

  /** Tells, once that is committed, of tokens that were ended. */
  tellEnded(ids: readonly string[]): void {
    for (const id of ids) this.gone.next(id);
  }

  /** Gives one value when a token is ended. */
  ended(id: string): Observable<void> {
    return this.gone.pipe(
      filter((one) => one === id),
      map(() => undefined),
    );
  }

  /** Who a token's text stands for at a time; null: nobody. */
  async callerOf(text: string, now: Date): Promise<Caller | null> {
    const row = await this.database.read.accessToken.findUnique({
      where: { secretSha256: secretSha256(text) },
      include: { account: { select: { role: true, disabledAt: true } } },
    });
    if (!row || row.account.disabledAt) return null;
    if (row.expiresAt && row.expiresAt <= now) return null;
    return {
      name: row.accountName,
      role: lesser(roleSchema.parse(row.role), roleSchema.parse(row.account.role)),
      by: row.kind === 'session' ? 'session' : 'api',
      id: row.id,
      expiresAt: row.expiresAt,
    };
  }

  private async make(wanted: Wanted): Promise<{ token: string; row: AccessToken }> {
    const token = newSecret(wanted.kind);
    const { kind, accountName } = wanted;
    const row = await this.database.write(async (transaction) => {
      const where = { accountName, kind };
      const [oldest] = await transaction.accessToken.findMany({
        where,
        orderBy: [{ createdAt: 'desc' }, { id: 'asc' }],
        skip: TOKENS_PER_ACCOUNT - 1,
        take: 1,
      });
      if (oldest && kind === 'api') {
        throw new ServerError(
          'TOO_MANY_TOKENS',
          409,
          `${accountName} has ${TOKENS_PER_ACCOUNT} tokens; revoke those that are not used.`,
        );
      }
      if (oldest) await transaction.accessToken.delete({ where: { id: oldest.id } });
      return transaction.accessToken.create({
        data: {
          ...wanted,
          id: `tok-${randomBytes(6).toString('hex')}`,
          secretSha256: secretSha256(token),
          createdAt: new Date(),
        },
      });
    });
    return { token, row };
  }
}

const viewOf = (row: AccessToken): TokenView => ({
  id: row.id,
  name: row.name,
  account: row.accountName,
  role: roleSchema.parse(row.role),
  createdAt: row.createdAt.toISOString(),
  expiresAt: row.expiresAt?.toISOString() ?? null,
});
