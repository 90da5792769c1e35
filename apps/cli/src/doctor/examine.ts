import { join } from 'node:path';
import { AUTHORITY_FILES } from '@espalier/authority';
import { checkEnrolment } from './agent-state.js';
import { checkBroker, checkDatabase } from './connections.js';
import type { Finding } from './finding.js';
import { checkFolder, checkMemory, checkNode, checkRuntime } from './machine.js';
import { checkLogin, checkServer } from './server.js';
import type { Surroundings } from './surroundings.js';

/** What of a set-up is here, and to be looked at. */
export interface SetUp {
  /** Address of the server. */
  readonly server: string;
  /** Token for it; null: nobody is logged in. */
  readonly token: string | null;
  /** Our own version. */
  readonly version: string;
  /** Folder of an agent on this machine. */
  readonly stateDir?: string | undefined;
  /** Folder of a server on this machine. */
  readonly dataDir?: string | undefined;
  readonly databaseUrl?: string | undefined;
  readonly brokerUrl?: string | undefined;
}

/** Every check that a set-up calls for, in an order in which the first fault explains the next. */
export async function examine(setUp: SetUp, surroundings: Surroundings): Promise<Finding[]> {
  const { server, token, version, stateDir, dataDir, databaseUrl } = setUp;
  const findings: Finding[] = [checkNode(surroundings), await checkRuntime(surroundings)];
  const add = (...found: Finding[]): void => void findings.push(...found);
  add(checkMemory(surroundings, dataDir === undefined ? 'agent' : 'server'));
  if (dataDir !== undefined) add(...(await checkFolder(surroundings, 'server', dataDir)));
  const database =
    databaseUrl ?? (dataDir === undefined ? undefined : `file:${join(dataDir, 'espalier.db')}`);
  if (database !== undefined) add(await checkDatabase(surroundings, database));
  const ofServer = await checkServer(surroundings, server, version);
  add(...ofServer);
  // A device needs no account.
  const wantsLogin = token !== null || stateDir === undefined;
  if (wantsLogin && ofServer.some(({ check, state }) => check === 'server' && state === 'good')) {
    add(await checkLogin(surroundings, server, token));
  }
  let { brokerUrl } = setUp;
  let authorities = dataDir === undefined ? undefined : await authoritiesOf(surroundings, dataDir);
  if (stateDir !== undefined) {
    add(...(await checkFolder(surroundings, 'agent', stateDir)));
    const { finding, identity } = await checkEnrolment(surroundings, stateDir);
    add(finding);
    brokerUrl ??= identity?.brokerUrl;
    authorities = identity?.authorities ?? authorities;
  }
  if (brokerUrl !== undefined) add(await checkBroker(surroundings, brokerUrl, authorities));
  return findings;
}

/** The authority of a server on this machine; none: it has not started yet, or keeps it to itself. */
const authoritiesOf = ({ read }: Surroundings, dataDir: string): Promise<string | undefined> =>
  read(join(dataDir, 'keys', AUTHORITY_FILES.certificate)).then(
    (text) => text ?? undefined,
    () => undefined,
  );
