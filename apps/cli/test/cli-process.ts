/** The command line as the real process that `npm run build` made. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('../dist/main.js', import.meta.url));
const EXAMPLES = new URL('../../../examples/', import.meta.url);

export const MODEL = fileURLToPath(new URL('fashion-mobilenetv2.onnx', EXAMPLES));
export const CALIBRATION = fileURLToPath(new URL('fashion-calibration.npz', EXAMPLES));
export const EVALUATION = fileURLToPath(new URL('fashion-evaluation.npz', EXAMPLES));
export const CARD = fileURLToPath(new URL('fashion-mobilenetv2.json', EXAMPLES));

/** How a process ended, and all that it said. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A process that runs; its output can be waited for. */
export class CliProcess {
  stdout = '';
  stderr = '';
  readonly ended: Promise<Ended>;
  readonly #child;

  constructor(
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
    input = '',
  ) {
    if (!existsSync(MAIN)) throw new Error(`${MAIN} is not there: run npm run build first.`);
    this.#child = spawn(process.execPath, [MAIN, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env['PATH'], ...environment },
    });
    this.#child.stdin.on('error', () => undefined);
    this.#child.stdin.end(input);
    this.#child.stdout.on('data', (part: Buffer) => (this.stdout += part.toString('utf8')));
    this.#child.stderr.on('data', (part: Buffer) => (this.stderr += part.toString('utf8')));
    this.ended = new Promise((resolve) => {
      this.#child.once('close', (code) => {
        resolve({ code, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Waits until the process has said something that matches; fails if it ends before. */
  async said(pattern: RegExp): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (pattern.test(this.stdout) || pattern.test(this.stderr)) resolve();
      };
      this.#child.stdout.on('data', look);
      this.#child.stderr.on('data', look);
      this.#child.once('close', () => {
        reject(new Error(`It ended without ${String(pattern)}: ${this.stdout}${this.stderr}`));
      });
      look();
    });
  }
}

/** Runs a command to its end. */
export const run = (
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  input = '',
): Promise<Ended> => new CliProcess(args, environment, input).ended;
