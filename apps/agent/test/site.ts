/** One stub server with its broker, and agents in state directories of their own. */
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentProcess } from './agent-process.js';
import { StubServer, type BrokerKind } from './stub-server.js';

/** A profile that an agent of this test run measured, so that not every agent measures for seconds. */
const measured = join(mkdtempSync(join(tmpdir(), 'espalier-profile-')), 'profile.json');
const CHANGES_PROFILE = ['--memory-limit-mib', '--storage-limit-mib', '--emulate-slowdown'];

export class Site {
  readonly server: StubServer;
  readonly #agents: AgentProcess[] = [];

  private constructor(broker: BrokerKind | undefined) {
    this.server = new StubServer(broker);
  }

  static async open(broker?: BrokerKind): Promise<Site> {
    const site = new Site(broker);
    await site.server.start();
    site.server.context = () => site.#agents.map(({ log }) => log.slice(-4000)).join('\n');
    return site;
  }

  /** An agent that is not started yet; its device will be `dev-NAME`. */
  agent(name: string, args: readonly string[] = [], stateDir = this.directory()): AgentProcess {
    const hasOwnProfile = args.some((arg) => CHANGES_PROFILE.includes(arg));
    if (!hasOwnProfile && existsSync(measured)) cpSync(measured, join(stateDir, 'profile.json'));
    const agent = new AgentProcess(stateDir, [
      ...['--server', this.server.url, '--token', this.server.token()],
      ...['--name', name, '--quick-profile', ...args],
    ]);
    this.#agents.push(agent);
    return agent;
  }

  /** Starts an agent and waits until its device has said hello. */
  async started(
    name: string,
    args: readonly string[] = [],
    stateDir?: string,
  ): Promise<AgentProcess> {
    const agent = this.agent(name, args, stateDir);
    const before = this.server.hellos.length;
    agent.start();
    await this.server.until(
      () => (this.server.hellos.length > before ? true : undefined),
      `the first hello of ${name}`,
    );
    const own = join(agent.stateDir, 'profile.json');
    if (args.every((arg) => !CHANGES_PROFILE.includes(arg)) && !existsSync(measured)) {
      cpSync(own, measured);
    }
    return agent;
  }

  directory(): string {
    return mkdtempSync(join(tmpdir(), 'espalier-agent-'));
  }

  async close(): Promise<void> {
    await Promise.all(this.#agents.map((agent) => agent.end('SIGKILL')));
    await this.server.stop();
    for (const { stateDir } of this.#agents) rmSync(stateDir, { recursive: true, force: true });
  }
}
