import { readdirSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { EXIT, EXIT_CODES } from './exit.js';
import { KeptLogins } from './login/kept-logins.js';
import type { Terminal } from './output/terminal.js';
import { buildProgram } from './program.js';

const ROOT = new URL('../../../', import.meta.url);
const program = buildProgram({
  terminal: {} as Terminal,
  signal: new AbortController().signal,
  logins: new KeptLogins(''),
  exitWith: () => undefined,
});

/** Commands that do something, by the words that call them. */
function leaves(command: Command, words: readonly string[] = []): [string, Command][] {
  return command.commands.length === 0
    ? [[words.join(' '), command]]
    : command.commands.flatMap((child) => leaves(child, [...words, child.name()]));
}

/** They print for a person who stays, and a script for a shell. */
const WITHOUT_JSON = ['demo', 'completion'];

describe('the command line', () => {
  it.each(leaves(program))('%s says what it does, and each option of it, too', (_, command) => {
    expect(command.description()).not.toBe('');
    for (const option of command.options) {
      expect([option.long, option.description]).toEqual([option.long, expect.stringMatching(/./)]);
    }
  });

  it('has every command that prints data print JSON for programs', () => {
    const without = leaves(program)
      .filter(([, { options }]) => !options.some(({ long }) => long === '--json'))
      .map(([words]) => words);
    expect(without).toEqual(WITHOUT_JSON);
  });

  it('says what each exit code means', () => {
    expect(EXIT_CODES.map(({ code }) => code)).toEqual(Object.values(EXIT));
  });

  it('has the one version of the project, as every part has', () => {
    const versionIn = (folder: string): string => {
      const text = readFileSync(new URL(`${folder}package.json`, ROOT), 'utf8');
      return (JSON.parse(text) as { version: string }).version;
    };
    const version = versionIn('');
    for (const group of ['apps/', 'libs/']) {
      for (const name of readdirSync(new URL(group, ROOT))) {
        expect([name, versionIn(`${group}${name}/`)]).toEqual([name, version]);
      }
    }
    expect(program.version()).toBe(version);
  });
});
