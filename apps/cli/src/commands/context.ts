import type { KeptLogins } from '../login/kept-logins.js';
import type { Terminal } from '../output/terminal.js';

/** What every command is given. */
export interface Context {
  readonly terminal: Terminal;
  /** Aborted when the person interrupts. */
  readonly signal: AbortSignal;
  /** The tokens of earlier logins. */
  readonly logins: KeptLogins;
  /** Sets what the process ends with, where it is not 0. */
  exitWith(code: number): void;
}
