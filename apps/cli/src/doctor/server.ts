import { z } from 'zod';
import { bad, good, reasonOf, type Finding } from './finding.js';
import type { Answer, Surroundings } from './surroundings.js';

/** More than this, and documents seem expired, and telemetry is dated wrongly. */
const MOST_SKEW_MS = 60_000;

const healthSchema = z.object({
  status: z.string(),
  database: z.string(),
  broker: z.string(),
  version: z.string().optional(),
});

/** Whether the server answers, is well, is of this version, and has this clock. */
export async function checkServer(
  surroundings: Surroundings,
  server: string,
  version: string,
): Promise<Finding[]> {
  let answer: Answer;
  const asked = surroundings.now();
  try {
    answer = await surroundings.get(new URL('/health', server).href);
  } catch (error) {
    return [
      bad(
        'server',
        `${server} does not answer (${reasonOf(error)})`,
        'Start it with `espalier-server`, open its port in the firewall, or name its address with --server or ESPALIER_SERVER.',
      ),
    ];
  }
  const health = healthSchema.safeParse(parsed(answer.text));
  if (!health.success) {
    return [
      bad(
        'server',
        `${server} answers, but not as a server of Espalier`,
        'Name the address and port of the server itself with --server.',
      ),
    ];
  }
  return [
    good('server', `${server} answers`),
    ...partsOf(health.data),
    versionOf(health.data.version, version),
    ...clockOf(answer, asked, surroundings.now()),
  ];
}

function partsOf({ database, broker }: z.infer<typeof healthSchema>): Finding[] {
  return [
    database === 'up'
      ? good('server-database', 'the server reaches its database')
      : bad(
          'server-database',
          'the server does not reach its database',
          'Look at the database, and at DATABASE_URL of the server; its log says more.',
        ),
    broker === 'up'
      ? good('server-broker', 'the server reaches its broker')
      : bad(
          'server-broker',
          'the server does not reach its broker',
          'Look at the broker, and at BROKER_URL of the server; its log says more.',
        ),
  ];
}

function versionOf(theirs: string | undefined, ours: string): Finding {
  return theirs === ours
    ? good('version', `server and command line are ${ours}`)
    : bad(
        'version',
        `the server is ${theirs ?? 'older than this check'}, this command line is ${ours}`,
        'Install the same version of both; docs/how-to/upgrade.md has the order.',
      );
}

/** Half of the way is taken off; the header has whole seconds. */
function clockOf({ dateMs }: Answer, asked: number, now: number): Finding[] {
  if (dateMs === null) return [];
  const skew = (asked + now) / 2 - dateMs;
  const seconds = Math.abs(Math.round(skew / 1000));
  return [
    Math.abs(skew) <= MOST_SKEW_MS
      ? good('clock', 'the clock agrees with that of the server')
      : bad(
          'clock',
          `this clock is ${seconds} s ${skew > 0 ? 'ahead of' : 'behind'} that of the server`,
          'Set both by NTP: timedatectl set-ntp true',
        ),
  ];
}

const sessionSchema = z.object({ account: z.object({ name: z.string(), role: z.string() }) });
const LOG_IN = 'Log in with `espalier login`, or give a token with ESPALIER_TOKEN.';

/** Whether a server takes the token that commands would give it. @param token null: there is none */
export async function checkLogin(
  { get }: Surroundings,
  server: string,
  token: string | null,
): Promise<Finding> {
  if (token === null) return bad('login', `nobody is logged in at ${server}`, LOG_IN);
  const url = new URL('/api/v1/sessions/current', server).href;
  try {
    const { status, text } = await get(url, { authorization: `Bearer ${token}` });
    const session = sessionSchema.safeParse(parsed(text));
    if (status === 401) return bad('login', 'the server does not take the token', LOG_IN);
    if (!session.success) {
      return bad('login', `the token was answered ${status}`, 'The log of the server says more.');
    }
    const { name, role } = session.data.account;
    return good('login', `commands act as ${name}, ${role}`);
  } catch (error) {
    return bad('login', `the server did not answer (${reasonOf(error)})`, 'Try again.');
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
