import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { Inject, Injectable, Logger, type OnModuleInit } from '@nestjs/common';
import { AuditLog } from '../audit/audit-log.js';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { notFound, ServerError } from '../errors.js';
import type { Account } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { writePrivately } from '../release/key-files.js';
import { hashPassword, passwordMatches } from './password.js';
import { roleSchema, type AccountPatch, type AccountRequest, type AccountView } from './schemas.js';
import { Tokens } from './tokens.js';

const FIRST = 'admin';
const FIRST_PASSWORD_BYTES = 18;
/** Each check takes 32 MiB while it lasts. */
const CHECKS_AT_ONCE = 8;

/** Local accounts: who may log in, and what they may do. */
@Injectable()
export class Accounts implements OnModuleInit {
  private readonly logger = new Logger('accounts');
  private checks = 0;

  constructor(
    private readonly database: Database,
    private readonly tokens: Tokens,
    private readonly audit: AuditLog,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  /** Makes the first account where there is none. */
  async onModuleInit(): Promise<void> {
    if ((await this.database.read.account.count()) > 0) return;
    const given = this.configuration.adminPassword;
    const password = given ?? randomBytes(FIRST_PASSWORD_BYTES).toString('base64url');
    if (given === null) {
      writePrivately(this.firstPasswordPath, `${password}\n`);
      this.logger.warn(`account ${FIRST} made; its password is in ${this.firstPasswordPath}`);
    }
    await this.create({ name: FIRST, role: 'admin', password });
    await this.audit.append({
      ...{ actor: 'server', action: 'first account', object: FIRST },
      ...{ outcome: 'done', code: null, address: null },
    });
  }

  async list(): Promise<{ accounts: AccountView[] }> {
    const rows = await this.database.read.account.findMany({ orderBy: { name: 'asc' } });
    return { accounts: rows.map(viewOf) };
  }

  /** @throws ServerError ACCOUNT_EXISTS */
  async create({ name, role, password }: AccountRequest): Promise<AccountView> {
    const passwordHash = await this.checked(() => hashPassword(password));
    const row = await this.database.write(async (transaction) => {
      if (await transaction.account.findUnique({ where: { name } })) {
        throw new ServerError('ACCOUNT_EXISTS', 409, `There is an account ${name} already.`);
      }
      return transaction.account.create({
        data: { name, role, passwordHash, createdAt: new Date() },
      });
    });
    return viewOf(row);
  }

  /**
   * Changes an account. A new password ends its sessions; disabling it ends its tokens as well.
   * @throws ServerError NOT_FOUND, ACCOUNT_LAST_ADMIN
   */
  async change(name: string, patch: AccountPatch, keepSession?: string): Promise<AccountView> {
    const { role, password, disabled } = patch;
    const passwordHash =
      password === undefined ? undefined : await this.checked(() => hashPassword(password));
    const { row, ended } = await this.database.write(async (transaction) => {
      const before = await transaction.account.findUnique({ where: { name } });
      if (!before) throw notFound(`account ${name}`);
      const disabledAt = disabled ? (before.disabledAt ?? new Date()) : null;
      const after = await transaction.account.update({
        where: { name },
        data: {
          ...(role === undefined ? {} : { role }),
          ...(passwordHash === undefined ? {} : { passwordHash }),
          ...(disabled === undefined ? {} : { disabledAt }),
        },
      });
      const admins = await transaction.account.count({
        where: { role: 'admin', disabledAt: null },
      });
      if (admins === 0) {
        throw new ServerError(
          'ACCOUNT_LAST_ADMIN',
          409,
          `${name} is the last admin; name another.`,
        );
      }
      const except = keepSession === undefined ? {} : { except: keepSession };
      const gone = after.disabledAt
        ? await this.tokens.endAll(transaction, name)
        : passwordHash === undefined
          ? []
          : await this.tokens.endAll(transaction, name, { kind: 'session', ...except });
      return { row: after, ended: gone };
    });
    this.tokens.tellEnded(ended);
    if (name === FIRST && passwordHash !== undefined)
      rmSync(this.firstPasswordPath, { force: true });
    return viewOf(row);
  }

  /** The account that a name and a password open; null: none. */
  async verify(name: string, password: string): Promise<AccountView | null> {
    const row = await this.database.read.account.findUnique({ where: { name } });
    const kept = row?.passwordHash ?? null;
    const right = await this.checked(() => passwordMatches(password, kept));
    return right && row && !row.disabledAt ? viewOf(row) : null;
  }

  private get firstPasswordPath(): string {
    return join(this.configuration.dataDir, 'admin-password');
  }

  private async checked<T>(work: () => Promise<T>): Promise<T> {
    if (this.checks >= CHECKS_AT_ONCE) {
      throw new ServerError('SERVER_BUSY', 503, 'Too many passwords are being checked; try again.');
    }
    this.checks += 1;
    try {
      return await work();
    } finally {
      this.checks -= 1;
    }
  }
}

const viewOf = (row: Account): AccountView => ({
  name: row.name,
  role: roleSchema.parse(row.role),
  disabledAt: row.disabledAt?.toISOString() ?? null,
  createdAt: row.createdAt.toISOString(),
});
