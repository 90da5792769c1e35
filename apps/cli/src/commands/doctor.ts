import { resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { examine } from '../doctor/examine.js';
import type { Finding } from '../doctor/finding.js';
import { realSurroundings } from '../doctor/surroundings.js';
import { EXIT } from '../exit.js';
import type { Terminal } from '../output/terminal.js';
import { CLI_VERSION } from '../version.js';
import { apiCommand, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

interface DoctorOptions extends ApiOptions {
  readonly stateDir?: string;
  readonly dataDir?: string;
  readonly databaseUrl?: string;
  readonly brokerUrl?: string;
}

/** Finds what is wrong with a set-up, and says how to mend it. */
export function addDoctor(program: Command, context: Context): void {
  const { terminal, signal, logins } = context;
  apiCommand(
    program,
    'doctor',
    'finds what is wrong with a set-up and says how to mend it; exit code 1 if anything is',
  )
    .option('--state-dir <dir>', 'also look at an agent on this machine: its state directory')
    .addOption(
      new Option('--data-dir <dir>', 'also look at a server on this machine: its DATA_DIR').env(
        'DATA_DIR',
      ),
    )
    .addOption(
      new Option('--database-url <url>', 'also look at a database, as DATABASE_URL')
        .env('DATABASE_URL')
        .argParser(databaseAddress),
    )
    .addOption(
      new Option('--broker-url <url>', 'also look at a broker; by default that of the agent')
        .env('BROKER_URL')
        .argParser(brokerAddress),
    )
    .action(async (options: DoctorOptions) => {
      const { server, stateDir, dataDir, databaseUrl, brokerUrl } = options;
      const findings = await examine(
        {
          ...{ server, version: CLI_VERSION, databaseUrl, brokerUrl },
          token: options.token ?? logins.tokenFor(server),
          stateDir: stateDir && resolve(stateDir),
          dataDir: dataDir && resolve(dataDir),
        },
        realSurroundings(signal),
      );
      signal.throwIfAborted();
      if (options.json) terminal.json({ findings });
      else terminal.print(findingsText(findings, terminal));
      if (findings.some(({ state }) => state === 'bad')) context.exitWith(EXIT.goalMissed);
    });
}

/** A line for each finding, with what mends it under what is wrong. */
function findingsText(findings: readonly Finding[], { colors }: Terminal): string {
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ check, state, found, mend }) => {
    const mark = state === 'good' ? colors.green('ok ') : colors.red('BAD');
    const first = `${mark}  ${check.padEnd(width)}  ${found}`;
    return mend === null ? [first] : [first, `${' '.repeat(width + 7)}→ ${mend}`];
  });
  const wrong = findings.filter(({ state }) => state === 'bad').length;
  const sum = wrong === 0 ? 'Nothing is wrong.' : `${wrong} of ${findings.length} to be mended.`;
  return [...lines, '', sum].join('\n');
}

function databaseAddress(text: string): string {
  if (/^(file:.+|postgres(ql)?:\/\/.+)/.test(text)) return text;
  throw new InvalidArgumentError('It must be a file: or postgresql: URL.');
}

function brokerAddress(text: string): string {
  if (URL.canParse(text) && /^(mqtts?|tcp|tls):/.test(text)) return text;
  throw new InvalidArgumentError('It must be an mqtt: or mqtts: URL.');
}
