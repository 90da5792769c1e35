import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CliError } from '../errors.js';

const LONGEST = 4096;

/** Where a password may come from; never from the command line, which others on the machine see. */
export interface PasswordSource {
  /** Read the first line of standard input. */
  readonly passwordStdin?: boolean;
}

/**
 * Reads a password from a person, unseen, or from standard input.
 * @throws CliError CLI_USAGE when there is neither
 */
export async function readPassword(
  question: string,
  { passwordStdin = false }: PasswordSource,
  signal: AbortSignal,
): Promise<string> {
  const { stdin, stderr } = process;
  if (passwordStdin) return firstLine(stdin);
  if (!stdin.isTTY) {
    throw new CliError('CLI_USAGE', 'No terminal to ask for a password: give --password-stdin.');
  }
  stderr.write(question);
  const unseen = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: stdin, output: unseen, terminal: true });
  try {
    return await lines.question('', { signal });
  } finally {
    lines.close();
    stderr.write('\n');
  }
}

async function firstLine(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const part of stream) {
    text += String(part);
    if (text.includes('\n') || text.length > LONGEST) break;
  }
  const line = (text.split('\n')[0] ?? '').replace(/\r$/, '');
  if (line === '') throw new CliError('CLI_USAGE', 'Standard input has no password.');
  return line;
}
