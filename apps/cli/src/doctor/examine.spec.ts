import { createServer, type AddressInfo, type Server } from 'node:net';
import { dialBroker } from './dial.js';
import { examine, type SetUp } from './examine.js';
import type { Answer, Surroundings } from './surroundings.js';

const GIB = 2 ** 30;
const NOW = Date.parse('2027-01-31T08:00:00Z');
const HEALTH = { status: 'ok', version: '1.2.3', database: 'up', broker: 'up' };
const SESSION = { account: { name: 'ada', role: 'operator' }, expiresAt: null };
const signed = (document: object) => ({
  payloadType: 'test',
  payload: Buffer.from(JSON.stringify(document)).toString('base64'),
  signatures: [{ keyid: 'a'.repeat(64), sig: 'eA==' }],
});
const identityUntil = (expires: string): string => {
  const issued = '2027-01-01T00:00:00.000Z';
  const who = { type: 'membership', deviceId: 'cam-1', brokerUrl: 'mqtts://fleet.example:8883' };
  const membership = signed({ ...who, authorities: '', certificate: '', issued, expires });
  return JSON.stringify({ deviceId: 'cam-1', root: signed({}), membership });
};
const SET_UP: SetUp = {
  server: 'http://fleet.example:8080',
  token: 'est1.token',
  version: '1.2.3',
  stateDir: '/var/lib/espalier',
  dataDir: '/srv/espalier',
  databaseUrl: 'postgresql://db/espalier',
};

/** What a server answers whose health is `body`. */
const answerOf = (url: string, body: object, dateMs: number): Answer => ({
  ...{ status: 200, dateMs },
  text: JSON.stringify(url.endsWith('/health') ? body : SESSION),
});

/** Surroundings in which nothing is wrong but what is given. */
const surroundings = (wrong: Partial<Surroundings> = {}): Surroundings => ({
  nodeVersion: '20.19.0',
  now: () => NOW,
  memoryBytes: () => GIB,
  freeBytes: () => Promise.resolve(10 * GIB),
  folder: () => Promise.resolve({ isFolder: true, writable: true, mode: 0o700 }),
  read: () => Promise.resolve(identityUntil('2027-04-01T00:00:00.000Z')),
  readStart: () => Promise.resolve('SQLite format 3\0'),
  runRuntime: () => Promise.resolve(),
  get: (url) => Promise.resolve(answerOf(url, HEALTH, NOW)),
  dial: () => Promise.resolve({ kind: 'broker' }),
  postgresqlVersion: () => Promise.resolve('15.4'),
  ...wrong,
});

const failing = (message: string) => () => Promise.reject(new Error(message));
const answering = (body: object, dateMs = NOW): Pick<Surroundings, 'get'> => ({
  get: (url) => Promise.resolve(answerOf(url, body, dateMs)),
});

/** Checks that found something wrong. */
async function wrongIn(wrong: Partial<Surroundings>, setUp = SET_UP): Promise<string[]> {
  const findings = await examine(setUp, surroundings(wrong));
  for (const { state, mend } of findings) {
    expect(mend === null ? 'good' : 'bad').toBe(state);
  }
  return findings.filter(({ state }) => state === 'bad').map(({ check }) => check);
}

describe('the doctor', () => {
  it('finds nothing wrong where nothing is', async () => {
    expect(await wrongIn({})).toEqual([]);
  });

  it.each<[string, Partial<Surroundings>, string[]]>([
    ['an old Node', { nodeVersion: '20.18.3' }, ['node']],
    ['a runtime that does not load', { runRuntime: failing('SIGILL') }, ['runtime']],
    ['too little memory', { memoryBytes: () => 64 * 2 ** 20 }, ['memory']],
    ['a full disk', { freeBytes: () => Promise.resolve(2 ** 20) }, ['disk', 'disk']],
    [
      'folders of somebody else',
      { folder: () => Promise.resolve({ isFolder: true, writable: false, mode: 0o755 }) },
      ['data-dir', 'state-dir'],
    ],
    [
      'folders that everybody may write',
      { folder: () => Promise.resolve({ isFolder: true, writable: true, mode: 0o777 }) },
      ['data-dir', 'state-dir'],
    ],
    ['a database that refuses', { postgresqlVersion: failing('no password') }, ['database']],
    ['a server that is not there', { get: failing('ECONNREFUSED') }, ['server']],
    ['another program at its port', answering({ hello: 'world' }), ['server']],
    [
      'a server without its parts',
      answering({ ...HEALTH, database: 'down', broker: 'down' }),
      ['server-database', 'server-broker'],
    ],
    ['another version', answering({ ...HEALTH, version: '1.3.0' }), ['version']],
    ['another clock', answering(HEALTH, NOW - 10 * 60_000), ['clock']],
    ['no enrolment', { read: () => Promise.resolve(null) }, ['enrolment']],
    [
      'an ended certificate',
      { read: () => Promise.resolve(identityUntil('2027-01-31T07:59:59.000Z')) },
      ['enrolment'],
    ],
    ['a damaged identity', { read: () => Promise.resolve('{"deviceId":') }, ['enrolment']],
    [
      'a broker that is silent',
      { dial: () => Promise.resolve({ kind: 'silent', why: '' }) },
      ['broker'],
    ],
    [
      'a certificate of others',
      { dial: () => Promise.resolve({ kind: 'untrusted', why: '' }) },
      ['broker'],
    ],
  ])('finds %s', async (_, wrong, checks) => {
    expect(await wrongIn(wrong)).toEqual(checks);
  });

  it('looks only at what is here', async () => {
    const findings = await examine(
      { server: SET_UP.server, token: SET_UP.token, version: SET_UP.version },
      surroundings({ folder: failing('not asked'), dial: failing('not asked') }),
    );
    expect(findings.map(({ check }) => check)).not.toContain('broker');
  });

  it('finds a token that the server does not take, and asks a person to log in but no device', async () => {
    const refusing: Surroundings['get'] = (url) =>
      Promise.resolve({
        ...answerOf(url, HEALTH, NOW),
        status: url.endsWith('/health') ? 200 : 401,
      });
    expect(await wrongIn({ get: refusing })).toEqual(['login']);
    const { server, version, stateDir } = SET_UP;
    expect(await wrongIn({}, { server, version, token: null })).toEqual(['login']);
    expect(await wrongIn({}, { server, version, token: null, stateDir })).toEqual([]);
  });

  it('knows a file that is no SQLite database', async () => {
    const setUp = { ...SET_UP, databaseUrl: undefined };
    expect(await wrongIn({ readStart: () => Promise.resolve('PK') }, setUp)).toEqual(['database']);
  });
});

describe('a broker that is looked at from the server', () => {
  it('is known by the authority in DATA_DIR', async () => {
    const atServer = { ...SET_UP, stateDir: undefined };
    const known: (string | undefined)[] = [];
    const wrong = await wrongIn(
      {
        read: (path) => Promise.resolve(path === '/srv/espalier/keys/ca.pem' ? 'PEM' : null),
        dial: (_url, authorities) => {
          known.push(authorities);
          return Promise.resolve({ kind: 'broker' });
        },
      },
      { ...atServer, brokerUrl: 'mqtts://fleet.example:8883' },
    );
    expect({ wrong, known }).toEqual({ wrong: [], known: ['PEM'] });
  });
});

describe('a broker, dialled', () => {
  let server: Server;
  const listening = (answer: Buffer): Promise<string> =>
    new Promise((resolve) => {
      server = createServer((socket) => {
        socket.on('error', () => undefined);
        socket.once('data', () => socket.end(answer));
      });
      server.listen(0, '127.0.0.1', () => {
        resolve(`mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`);
      });
    });
  const dial = (url: string) => dialBroker(url, undefined, AbortSignal.timeout(60_000));

  afterEach(() => server.close());

  it('is one if it refuses by its protocol', async () => {
    const refusal = Buffer.from([0x20, 2, 0, 5]);
    expect(await dial(await listening(refusal))).toEqual({ kind: 'broker' });
  });

  it('is none if it speaks another one', async () => {
    const url = await listening(Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'));
    expect(await dial(url)).toEqual({ kind: 'stranger' });
    expect(await dial(url.replace('mqtt:', 'mqtts:'))).toMatchObject({ kind: 'untrusted' });
  });

  it('is silent where nothing listens', async () => {
    const url = await listening(Buffer.from([]));
    await new Promise((resolve) => server.close(resolve));
    expect(await dial(url)).toMatchObject({ kind: 'silent' });
  });
});
