import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServerProcess } from './server-process.js';

const AGENT = fileURLToPath(new URL('../../agent/dist/main.js', import.meta.url));

/** A module loaded before the agent, and what tells it what to do. */
export interface Preload {
  readonly module: string;
  readonly env: Readonly<Record<string, string>>;
}

/** The built agent as a process of its own, in a folder of its own. */
export class AgentProcess {
  log = '';

  private constructor(
    readonly name: string,
    readonly folder: string,
    private readonly process: ChildProcess,
  ) {
    process.stderr?.on('data', (part: Buffer) => {
      this.log = (this.log + part.toString('utf8')).slice(-200_000);
    });
  }

  /** Claims a device for it and starts it. */
  static async start(
    server: ServerProcess,
    name: string,
    flags: readonly string[] = [],
    labels: Record<string, string> = {},
    preload?: Preload,
  ): Promise<AgentProcess> {
    const { token } = await server.ok<{ token: string }>('POST', '/api/v1/claim-tokens', {
      labels,
    });
    return AgentProcess.with(token, server, name, flags, preload);
  }

  /** Starts it with a claim token that it has. */
  static with(
    token: string,
    server: ServerProcess,
    name: string,
    flags: readonly string[] = [],
    preload?: Preload,
  ): AgentProcess {
    const folder = mkdtempSync(join(tmpdir(), 'espalier-agent-'));
    const child = spawn(
      process.execPath,
      [
        ...(preload ? ['--import', preload.module] : []),
        AGENT,
        ...['--server', server.url, '--token', token, '--name', name],
        ...['--quick-profile', '--state-dir', folder, ...flags],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...preload?.env } },
    );
    return new AgentProcess(name, folder, child);
  }

  /** Waits until the agent has logged something, at most so many seconds. */
  async says(text: string, seconds = 120): Promise<void> {
    for (const deadline = Date.now() + seconds * 1000; !this.log.includes(text);) {
      if (Date.now() > deadline) throw new Error(`${this.name} never said "${text}": ${this.log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGTERM');
      await once(this.process, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}
