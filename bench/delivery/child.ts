import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const LOG_KEPT = 20_000;

/** A process of the benchmark, whose stdout and stderr are read line by line. */
export class Child {
  readonly #process: ChildProcess;
  #log = '';

  constructor(
    command: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    onLine: (line: string) => void = () => undefined,
  ) {
    this.#process = spawn(command, args, {
      // An open stdin: the broker ends when it is closed, as when this process is gone.
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'] ?? '', ...environment },
    });
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      if (!stream) continue;
      createInterface({ input: stream }).on('line', (line) => {
        this.#log = `${this.#log}${line}\n`.slice(-LOG_KEPT);
        onLine(line);
      });
    }
  }

  /** Ends it, and waits until it is gone. */
  async end(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode !== null || signalCode !== null) return;
    const exited = once(this.#process, 'exit');
    this.#process.kill(signal);
    const force = setTimeout(() => this.#process.kill('SIGKILL'), 10_000);
    await exited;
    clearTimeout(force);
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.kill(signal);
  }

  /** Resolves once it has ended by itself. */
  async ended(): Promise<void> {
    const { exitCode, signalCode } = this.#process;
    if (exitCode === null && signalCode === null) await once(this.#process, 'exit');
  }

  /** The end of what it wrote, for an error message. */
  get log(): string {
    return this.#log.slice(-3000);
  }
}

/** Reads a line that may be JSON; null when it is none. */
export function jsonOf(line: string): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null;
  } catch {
    return null;
  }
}

/** Waits until a condition holds, looking often. @throws Error after `seconds` */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  seconds: number,
): Promise<void> {
  const deadline = performance.now() + seconds * 1000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`Waited ${seconds} s for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
