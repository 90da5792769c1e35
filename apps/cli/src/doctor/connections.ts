import { bad, good, reasonOf, type Finding } from './finding.js';
import type { Surroundings } from './surroundings.js';

/**
 * Whether a broker answers at its address, and over TLS with a certificate that is trusted here.
 * @param authorities PEM certificates to know it by; none: those of the system
 */
export async function checkBroker(
  surroundings: Surroundings,
  url: string,
  authorities: string | undefined,
): Promise<Finding> {
  const answer = await surroundings.dial(url, authorities);
  switch (answer.kind) {
    case 'broker':
      return good('broker', `${url} answers`);
    case 'stranger':
      return bad(
        'broker',
        `${url} answers, but not as an MQTT broker`,
        'Look at the port, and whether it wants TLS (mqtts:) or not (mqtt:).',
      );
    case 'untrusted':
      return bad(
        'broker',
        `${url} has a certificate that is not trusted here (${answer.why})`,
        'The certificate must name that host and be signed by the certificate authority of the fleet; docs/how-to/tls.md says how.',
      );
    case 'silent':
      return bad(
        'broker',
        `${url} does not answer (${answer.why})`,
        'Start the broker, open its port in the firewall, or tell devices another address with BROKER_PUBLIC_URL of the server.',
      );
  }
}

/** Whether the database of a server can be reached: PostgreSQL by asking, SQLite by its file. */
export async function checkDatabase(surroundings: Surroundings, url: string): Promise<Finding> {
  if (url.startsWith('file:')) return checkSqlite(surroundings, url.slice('file:'.length));
  try {
    return good('database', `PostgreSQL ${await surroundings.postgresqlVersion(url)} answers`);
  } catch (error) {
    return bad(
      'database',
      `PostgreSQL does not let us in (${reasonOf(error)})`,
      'Look at host, port, database, user and password of DATABASE_URL, and at pg_hba.conf.',
    );
  }
}

async function checkSqlite(surroundings: Surroundings, path: string): Promise<Finding> {
  try {
    const start = await surroundings.readStart(path, SQLITE.length);
    if (start === null) return good('database', `${path} is not there yet; the server makes it`);
    if (start === SQLITE) return good('database', `${path} is an SQLite database`);
    return bad(
      'database',
      `${path} is not an SQLite database`,
      'Put back a backup (docs/how-to/backup.md), or name the right file in DATABASE_URL.',
    );
  } catch (error) {
    return bad('database', reasonOf(error), 'Run this command as the user that runs the server.');
  }
}

/** The first bytes of every SQLite file: https://www.sqlite.org/fileformat.html */
const SQLITE = 'SQLite format 3\0';
