import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { CliError } from '../errors.js';

const STOP_TIMEOUT_MS = 8_000;
const TAIL_LINES = 15;

interface Started {
  readonly name: string;
  readonly child: ChildProcess;
  readonly logPath: string;
}

/** The demo's processes: each with a log of its own, and none left behind. */
export class Processes {
  private readonly started: Started[] = [];
  private readonly broken = new AbortController();
  private stopping = false;

  /** @param logDir where each process's log goes */
  constructor(private readonly logDir: string) {
    mkdirSync(logDir, { recursive: true });
  }

  /** Aborted, with a reason, when a process ends by itself. */
  get brokenSignal(): AbortSignal {
    return this.broken.signal;
  }

  /** Starts a Node process; what it says to stderr goes to its log. */
  start(
    name: string,
    script: string,
    args: readonly string[],
    environment: NodeJS.ProcessEnv,
  ): ChildProcess {
    const logPath = join(this.logDir, `${name}.log`);
    const log = openSync(logPath, 'a');
    const child = spawn(process.execPath, [script, ...args], {
      stdio: ['ignore', 'pipe', log],
      env: environment,
    });
    closeSync(log);
    this.started.push({ name, child, logPath });
    child.stdout?.resume();
    child.once('error', (cause) => this.break(`${name} cannot be started (${cause.message}).`));
    child.once('exit', (code, signal) => {
      this.break(`${name} ended by itself with ${signal ?? `exit code ${String(code)}`}.`);
    });
    return child;
  }

  /**
   * Ends every process, politely, then by force; the first one last, for the others rely on it and
   * say goodbye to it.
   */
  async stop(): Promise<void> {
    this.stopping = true;
    const [first, ...others] = this.started;
    await Promise.all(others.map(({ child }) => end(child)));
    if (first) await end(first.child);
  }

  /** The last lines of every log, for when something failed. */
  tails(): string {
    return this.started
      .map(({ name, logPath }) => {
        const lines = readFileSync(logPath, 'utf8').trimEnd().split('\n').slice(-TAIL_LINES);
        return `--- ${name} (${logPath})\n${lines.join('\n')}`;
      })
      .join('\n');
  }

  private break(message: string): void {
    if (!this.stopping) this.broken.abort(new CliError('CLI_DEMO', message));
  }
}

/** The first line that a process prints. @throws CliError CLI_DEMO when it does not in time */
export async function firstLine(child: ChildProcess, signal: AbortSignal): Promise<string> {
  if (!child.stdout) throw new CliError('CLI_DEMO', 'The process has no output to read.');
  const lines = createInterface({ input: child.stdout });
  try {
    const [line] = (await once(lines, 'line', { signal })) as [string];
    return line;
  } catch (cause) {
    const late = signal.reason instanceof Error && signal.reason.name === 'TimeoutError';
    if (!late) throw cause;
    throw new CliError(
      'CLI_DEMO',
      'The server did not start in time; the machine may be too busy.',
      {
        cause,
      },
    );
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const force = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS);
  await ended;
  clearTimeout(force);
}
