import { CommanderError } from 'commander';
import { ApiProblem, CliError } from './errors.js';

/** What the process ends with. */
export const EXIT = {
  done: 0,
  /** A goal was not met, though the best found was still written; or the answer to what was asked is no. */
  goalMissed: 1,
  badInput: 2,
  /** A fault that is not in what was given: the server, the machine, or this program. */
  fault: 3,
  cancelled: 130,
} as const;

/** What each exit code says. */
export const EXIT_CODES: readonly { readonly code: number; readonly means: string }[] = [
  { code: EXIT.done, means: 'done' },
  {
    code: EXIT.goalMissed,
    means: 'a goal was not met (the best found was still written), or the answer is no',
  },
  { code: EXIT.badInput, means: 'something that was given is wrong; nothing was done' },
  { code: EXIT.fault, means: 'the server, the machine or this program failed' },
  { code: EXIT.cancelled, means: 'interrupted' },
];

/** How a failure is told: one line for people, its code first, and the exit code. */
export interface Failure {
  /** Null: all is said already. */
  readonly text: string | null;
  readonly exitCode: number;
}

const CODE = /^(?!ERR_)[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/;

/** Sorts a thrown value into an exit code; null: it was help or the version, and all is well. */
export function failureOf(error: unknown): Failure | null {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return null;
    if (error.code === 'commander.help') return { text: null, exitCode: EXIT.badInput };
    const message = error.message.replace(/^error: /, '');
    return { text: `CLI_USAGE: ${message}`, exitCode: EXIT.badInput };
  }
  if (error instanceof Error && error.name === 'AbortError') {
    return { text: 'CLI_CANCELLED: Interrupted.', exitCode: EXIT.cancelled };
  }
  if (error instanceof ApiProblem) {
    const exitCode = error.status >= 500 ? EXIT.fault : EXIT.badInput;
    return { text: `${error.code}: ${error.message}`, exitCode };
  }
  if (error instanceof Error && 'code' in error && CODE.test(String(error.code))) {
    const code = String(error.code);
    return { text: `${code}: ${error.message}`, exitCode: exitCodeOf(code) };
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { text: `CLI_INTERNAL: ${detail}`, exitCode: EXIT.fault };
}

const FAULTS: readonly string[] = [
  'CLI_UNREACHABLE',
  'CLI_ANSWER',
  'CLI_DEMO',
] satisfies CliError['code'][];

function exitCodeOf(code: string): number {
  if (code.endsWith('_CANCELLED')) return EXIT.cancelled;
  return FAULTS.includes(code) ? EXIT.fault : EXIT.badInput;
}
