#!/usr/bin/env node
import { EXIT, failureOf } from './exit.js';
import { credentialsPath, KeptLogins } from './login/kept-logins.js';
import { processTerminal } from './output/terminal.js';
import { buildProgram } from './program.js';

const terminal = processTerminal();
const interrupt = new AbortController();

// Whoever reads the output may stop reading: `espalier … | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(EXIT.done);
  throw error;
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (interrupt.signal.aborted) process.exit(EXIT.cancelled);
    interrupt.abort();
  });
}

let exitCode: number = EXIT.done;
const program = buildProgram({
  terminal,
  signal: interrupt.signal,
  logins: new KeptLogins(credentialsPath(process.env)),
  exitWith: (code) => (exitCode = code),
});
try {
  await program.parseAsync(process.argv);
} catch (error) {
  const failure = failureOf(error);
  if (failure?.text) terminal.note(failure.text);
  exitCode = failure?.exitCode ?? EXIT.done;
}
process.exitCode = exitCode;
