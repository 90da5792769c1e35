/** An agent as the real process that `npm run build` made. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { AgentState } from '../src/store/agent-state.js';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const FAULT = new URL('./fault.mjs', import.meta.url).href;

/** What is done to an agent at its writes, or to its clock; see `fault.mjs`. */
export interface Fault {
  /** A file that gets a line for each write. */
  readonly log: string;
  readonly kind?: 'kill' | 'full';
  readonly line?: string;
  readonly occurrence?: number;
  readonly clockSkewMs?: number;
}

export class AgentProcess {
  #child: ChildProcess | undefined;
  log = '';
  /** Called with every line of the log. */
  onLine: (line: string) => void = () => undefined;

  constructor(
    readonly stateDir: string,
    readonly args: readonly string[],
  ) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: run npm run build first.`);
  }

  start(fault?: Fault): void {
    const args = [MAIN, '--state-dir', this.stateDir, ...this.args];
    const child = spawn(process.execPath, [...(fault ? ['--import', FAULT] : []), ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: {
        ...process.env,
        ...(fault ? { ESPALIER_FAULT: JSON.stringify({ ...fault, stateDir: this.stateDir }) } : {}),
      },
    });
    child.stderr.on('data', (data: Buffer) => (this.log += data.toString()));
    createInterface({ input: child.stderr }).on('line', (line) => this.onLine(line));
    this.#child = child;
  }

  /** What the agent has on its disk now. */
  state(): AgentState | undefined {
    try {
      return JSON.parse(readFileSync(join(this.stateDir, 'state.json'), 'utf8')) as AgentState;
    } catch {
      return undefined;
    }
  }

  /** Puts a state on the disk of an agent that does not run. */
  rewrite(state: AgentState): void {
    writeFileSync(join(this.stateDir, 'state.json'), JSON.stringify(state));
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Ends the process and waits until it is gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }

  /** Whether the process has ended. */
  get ended(): boolean {
    const child = this.#child;
    return !child || child.exitCode !== null || child.signalCode !== null;
  }

  async exit(): Promise<number | null> {
    const child = this.#child!;
    if (child.exitCode !== null) return child.exitCode;
    const [code] = (await once(child, 'exit')) as [number | null];
    return code;
  }

  /** Waits until something is so, looking all the time. */
  async until(condition: () => boolean, timeoutMs = 90_000): Promise<void> {
    const deadline = Date.now() + timeoutMs;
    while (!condition()) {
      if (Date.now() > deadline) throw new Error(`Waited in vain; the log:\n${this.log}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Kills the process the moment that its persisted state satisfies a condition. */
  async killWhen(condition: (state: AgentState) => boolean): Promise<AgentState> {
    await this.until(() => {
      const state = this.state();
      return state !== undefined && condition(state);
    });
    await this.end('SIGKILL');
    return this.state()!;
  }
}
