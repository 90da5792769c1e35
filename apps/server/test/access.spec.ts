import { jest } from '@jest/globals';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { ROLES, type Role } from '../src/access/roles.js';
import type { NewToken } from '../src/access/schemas.js';
import type { AuditPage, AuditVerdict } from '../src/audit/schemas.js';
import { OidcIssuer } from './oidc-issuer.js';
import { ADMIN_PASSWORD, ServerProcess, type Answer } from './server-process.js';

jest.setTimeout(180_000);

interface Operation {
  readonly method: string;
  readonly path: string;
  readonly least: Role | 'public';
  readonly security: readonly object[];
}

const PASSWORDS = { viewer: 'the viewer may look', operator: 'the operator may act' } as const;
const WHO = { viewer: 'vera', operator: 'olga' } as const;

// The tests are steps of one walk on one server.
describe('access to the API', () => {
  let server: ServerProcess;
  const tokens: Record<Role, string> = { viewer: '', operator: '', admin: '' };

  beforeAll(async () => {
    server = await ServerProcess.start({ LOG_LEVEL: 'trace' });
    tokens.admin = server.token;
    for (const role of ['viewer', 'operator'] as const) {
      const account = { name: WHO[role], role, password: PASSWORDS[role] };
      await server.ok('POST', '/api/v1/accounts', account);
      tokens[role] = await server.login(WHO[role], PASSWORDS[role]);
    }
  });
  afterAll(() => server.dispose());

  const as = (role: Role, method: string, path: string, body?: unknown): Promise<Answer> =>
    server.call(method, path, body, tokens[role]);
  const refusal = (status: number, code: string) => ({
    status,
    body: expect.objectContaining({ code }) as unknown,
  });

  async function operations(): Promise<Operation[]> {
    const document = await server.ok<{
      paths: Record<
        string,
        Record<string, { 'x-least-role': Role | 'public'; security?: object[] }>
      >;
    }>('GET', '/api/docs-json');
    return Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({
        method: method.toUpperCase(),
        path,
        least: operation['x-least-role'],
        security: operation.security ?? [],
      })),
    );
  }

  it('is described route by route: the role that it takes, and how to prove it', async () => {
    const all = await operations();
    expect(all.length).toBeGreaterThan(40);
    for (const { path, least, security } of all) {
      expect([path, [...ROLES, 'public']]).toEqual([path, expect.arrayContaining([least])]);
      expect([path, security]).toEqual([path, least === 'public' ? [] : [{ token: [] }]]);
    }
    const open = all.filter(({ least }) => least === 'public').map(({ path }) => path);
    expect(open.sort()).toEqual([
      '/api/v1/devices/{id}/certificates',
      '/api/v1/enrolments',
      '/api/v1/sessions',
    ]);
  });

  it('is had by every role on every route as declared, and by nobody without a token', async () => {
    // Logging out comes last: it ends the session that the walk is made with.
    const all = (await operations()).sort(
      (a, b) => Number(a.path.endsWith('/current')) - Number(b.path.endsWith('/current')),
    );
    for (const role of [null, ...ROLES]) {
      const token =
        role === null
          ? ''
          : await server.login(
              role === 'admin' ? 'admin' : WHO[role],
              role === 'admin' ? ADMIN_PASSWORD : PASSWORDS[role],
            );
      for (const { method, path, least } of all) {
        const url = path.replace(/\{\w+\}/g, 'nobody-1');
        const body = method === 'GET' || method === 'DELETE' ? undefined : {};
        const answer = await server.call(method, url, body, token);
        const asked = { role, method, path, ...answer };
        const code = answer.body['code'] as string | undefined;
        if (least === 'public') expect(asked).toMatchObject({ status: 400 });
        else if (role === null) expect(asked).toMatchObject(refusal(401, 'UNAUTHENTICATED'));
        else if (ROLES.indexOf(role) < ROLES.indexOf(least)) {
          expect(asked).toMatchObject(refusal(403, 'ROLE_NEEDED'));
        } else
          expect([asked, code]).toEqual([asked, expect.not.stringMatching(/ROLE_NEEDED|UNAUTH/)]);
      }
    }
    for (const path of ['/metrics', '/api/v1/events']) {
      expect((await server.fetch(path, {}, '')).status).toBe(401);
      const answer = await server.fetch(path, {}, tokens.viewer);
      expect(answer.status).toBe(200);
      await answer.body?.cancel();
    }
    expect((await server.fetch('/health', {}, '')).status).toBe(200);
  });

  it('ends with the account, and there is always an admin', async () => {
    await server.ok('POST', '/api/v1/accounts', {
      ...{ name: 'temp', role: 'operator', password: 'for the holidays' },
    });
    const token = await server.login('temp', 'for the holidays');
    const watching = await server.fetch('/api/v1/events', {}, token);
    await server.ok('PATCH', '/api/v1/accounts/temp', { role: 'viewer' });
    expect(await server.call('POST', '/api/v1/claim-tokens', {}, token)).toMatchObject(
      refusal(403, 'ROLE_NEEDED'),
    );
    await server.ok('PATCH', '/api/v1/accounts/temp', { disabled: true });
    expect((await server.call('GET', '/api/v1/devices', undefined, token)).status).toBe(401);
    await watching.text();
    const login = { name: 'temp', password: 'for the holidays' };
    expect(await server.call('POST', '/api/v1/sessions', login)).toMatchObject(
      refusal(401, 'LOGIN_REFUSED'),
    );
    expect(await server.call('PATCH', '/api/v1/accounts/admin', { role: 'viewer' })).toMatchObject(
      refusal(409, 'ACCOUNT_LAST_ADMIN'),
    );
  });

  it('is changed with the password by its owner, whose other sessions end', async () => {
    const other = await server.login(WHO.viewer, PASSWORDS.viewer);
    const path = '/api/v1/sessions/current/password';
    const wrong = { current: 'not the password', password: 'another one then' };
    expect(await as('viewer', 'PUT', path, wrong)).toMatchObject(refusal(401, 'LOGIN_REFUSED'));
    const right = { current: PASSWORDS.viewer, password: 'another one then' };
    expect((await as('viewer', 'PUT', path, right)).status).toBe(204);
    expect((await server.call('GET', '/api/v1/devices', undefined, other)).status).toBe(401);
    expect((await as('viewer', 'GET', '/api/v1/devices')).status).toBe(200);
  });

  it('is given to programs by tokens that do no more than they were made for', async () => {
    const made = await as('operator', 'POST', '/api/v1/tokens', { name: 'ci', role: 'viewer' });
    const { token, id } = made.body as unknown as NewToken;
    const call = (method: string, path: string, body?: object) =>
      server.call(method, path, body, token);
    expect((await call('GET', '/api/v1/devices')).status).toBe(200);
    expect(await call('POST', '/api/v1/claim-tokens', {})).toMatchObject(
      refusal(403, 'ROLE_NEEDED'),
    );
    expect(await call('POST', '/api/v1/tokens', { name: 'heir' })).toMatchObject(
      refusal(403, 'SESSION_NEEDED'),
    );
    const above = await as('operator', 'POST', '/api/v1/tokens', { name: 'x', role: 'admin' });
    expect(above).toMatchObject(refusal(403, 'ROLE_NEEDED'));
    expect((await as('operator', 'GET', '/api/v1/tokens')).body['tokens']).toEqual([
      expect.objectContaining({ id, name: 'ci', account: WHO.operator, role: 'viewer' }),
    ]);
    expect(await as('viewer', 'DELETE', `/api/v1/tokens/${id}`)).toMatchObject(
      refusal(404, 'NOT_FOUND'),
    );
    expect((await as('operator', 'DELETE', `/api/v1/tokens/${id}`)).status).toBe(204);
    expect((await call('GET', '/api/v1/devices')).status).toBe(401);
  });

  it('rests on a cookie for our own pages, and for no others', async () => {
    const login = { name: WHO.operator, password: PASSWORDS.operator };
    const begun = await server.fetch(
      '/api/v1/sessions',
      {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(login),
      },
      '',
    );
    const set = begun.headers.get('set-cookie') ?? '';
    expect(set).toMatch(/; HttpOnly; SameSite=Strict$/);
    const cookie = set.split(';')[0]!;
    const post = async (headers: Record<string, string>): Promise<number> => {
      const init = { method: 'POST', body: '{}' };
      const sent = { cookie, 'content-type': 'application/json', ...headers };
      return (await server.fetch('/api/v1/claim-tokens', { ...init, headers: sent }, '')).status;
    };
    expect((await server.fetch('/api/v1/devices', { headers: { cookie } }, '')).status).toBe(200);
    expect(await post({ origin: server.url })).toBe(201);
    expect(await post({ origin: 'https://elsewhere.example' })).toBe(403);
    expect(await post({ 'sec-fetch-site': 'cross-site', origin: server.url })).toBe(403);
    expect(await post({})).toBe(403);
  });

  it('is slow to be guessed', async () => {
    const guess = (password: string) =>
      server.call('POST', '/api/v1/sessions', { name: 'nobody', password }, '');
    for (let at = 0; at < 10; at += 1) {
      expect(await guess('a wrong guess')).toMatchObject(refusal(401, 'LOGIN_REFUSED'));
    }
    expect(await guess('a wrong guess')).toMatchObject(refusal(429, 'TOO_MANY_ATTEMPTS'));
  });

  it('bounds what a request may hold, and tells browsers what they may do', async () => {
    const headers = { 'content-type': 'application/json' };
    const post = (body: string) =>
      server.fetch('/api/v1/claim-tokens', { method: 'POST', headers, body });
    const deep = await post(`{"labels":${'['.repeat(5000)}${']'.repeat(5000)}}`);
    expect(await deep.json()).toMatchObject({ status: 400, code: 'PROTOCOL_TOO_DEEP' });
    expect((await post(JSON.stringify({ name: 'x'.repeat(2 ** 21) }))).status).toBe(413);
    const large = await server.fetch('/health', { headers: { 'x-large': 'x'.repeat(20_000) } });
    expect(large.status).toBe(431);
    const page = await server.fetch('/api/docs', {}, '');
    expect(page.headers.get('content-security-policy')).toContain("script-src 'self';");
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it('leaves a trail of who did what, which SQL cannot rewrite unseen', async () => {
    await as('operator', 'POST', '/api/v1/policies/nobody-1');
    const { entries } = await server.ok<AuditPage>('GET', '/api/v1/audit?limit=1000&order=oldest');
    expect(entries[0]).toMatchObject({ actor: 'server', action: 'first account', object: 'admin' });
    const kept = (fields: object): void =>
      expect(entries).toContainEqual(expect.objectContaining(fields));
    kept({ actor: 'admin', action: 'POST /api/v1/sessions', outcome: 'done' });
    kept({ actor: 'nobody', action: 'POST /api/v1/sessions', code: 'LOGIN_REFUSED' });
    kept({ actor: 'admin', action: 'POST /api/v1/accounts', object: '/api/v1/accounts/vera' });
    kept({
      ...{ actor: 'vera', action: 'POST /api/v1/rollouts/:id/start', code: 'ROLE_NEEDED' },
      ...{ object: '/api/v1/rollouts/nobody-1/start', outcome: 'refused', address: '127.0.0.1' },
    });
    expect(entries.some(({ action }) => action.includes('preview'))).toBe(false);
    const vera = await server.ok<AuditPage>('GET', '/api/v1/audit?actor=vera&limit=2');
    expect(vera.entries.map(({ actor }) => actor)).toEqual(['vera', 'vera']);
    expect(vera.next).toBe(vera.entries[1]!.seq);

    const verdict = () => server.ok<AuditVerdict>('GET', '/api/v1/audit/verify');
    expect(await verdict()).toMatchObject({ fault: null });
    const database = new Sqlite(join(server.dataDir, 'espalier.db'), { timeout: 60_000 });
    const edit = `UPDATE "AuditEntry" SET actor = 'olga' WHERE seq = 3`;
    expect(() => database.exec(edit)).toThrow('append-only');
    expect(() => database.exec(`DELETE FROM "AuditEntry"`)).toThrow('append-only');
    database.exec(`DROP TRIGGER "AuditEntry_no_update"`);
    database.exec(edit);
    database.close();
    expect(await verdict()).toMatchObject({ fault: { seq: 3, why: 'altered' } });
  });

  it('leaves no secret in the log, the database or the folder', async () => {
    const [text] = [server.log];
    for (const secret of [...Object.values(tokens), ...Object.values(PASSWORDS)]) {
      expect(text).not.toContain(secret);
    }
    expect(text).not.toContain(ADMIN_PASSWORD);
    const database = new Sqlite(join(server.dataDir, 'espalier.db'), { readonly: true });
    const rows = JSON.stringify([
      database.prepare('SELECT * FROM "AccessToken"').all(),
      database.prepare('SELECT * FROM "Account"').all(),
      database.prepare('SELECT * FROM "AuditEntry"').all(),
    ]);
    database.close();
    for (const secret of Object.values(tokens)) expect(rows).not.toContain(secret);
    expect(() => statSync(join(server.dataDir, 'admin-password'))).toThrow('ENOENT');
  });
});

describe('access by an identity provider', () => {
  let issuer: OidcIssuer;
  let server: ServerProcess;
  beforeAll(async () => {
    issuer = await OidcIssuer.start();
    server = await ServerProcess.start({
      ...{ OIDC_ISSUER: issuer.url, OIDC_AUDIENCE: 'espalier', OIDC_ROLE_CLAIM: 'realm.roles' },
      REQUESTS_PER_MINUTE: '60',
    });
  });
  afterAll(async () => {
    await server.dispose();
    await issuer.stop();
  });

  it('counts what its issuer signed for this server, and nothing else', async () => {
    const status = async (token: string, method = 'GET', path = '/api/v1/devices') =>
      (await server.call(method, path, method === 'GET' ? undefined : {}, token)).status;
    const viewer = { realm: { roles: ['staff', 'viewer'] } };
    const good = await issuer.token(viewer);
    expect(await status(good)).toBe(200);
    expect(await status(good, 'POST', '/api/v1/claim-tokens')).toBe(403);
    const operator = await issuer.token({ realm: { roles: ['viewer', 'operator'] } });
    expect(await status(operator, 'POST', '/api/v1/claim-tokens')).toBe(201);
    expect(await status(operator, 'POST', '/api/v1/tokens')).toBe(400);
    const { entries } = await server.ok<AuditPage>('GET', '/api/v1/audit?actor=oidc:ada');
    expect(entries.map(({ action }) => action)).toContain('POST /api/v1/claim-tokens');
    for (const bad of [
      await issuer.token({ realm: { roles: ['staff'] } }),
      await issuer.token(viewer, { audience: 'another' }),
      await issuer.token(viewer, { issuer: 'https://elsewhere.example' }),
      await issuer.token(viewer, { expiresAt: Date.now() - 3_600_000 }),
      await issuer.token(viewer, { key: 'of another' }),
      await issuer.token(viewer, { key: 'none' }),
    ]) {
      expect(await status(bad)).toBe(401);
    }
  });

  it('asks no more often than the limit', async () => {
    let answer = await server.fetch('/health', {}, '');
    for (let at = 0; at < 100 && answer.status !== 429; at += 1) {
      answer = await server.fetch('/health', {}, '');
    }
    expect(await answer.json()).toMatchObject({ status: 429, code: 'RATE_LIMITED' });
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  });
});
