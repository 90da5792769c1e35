import { spawnSync } from 'node:child_process';
import { KeptLogins } from '../login/kept-logins.js';
import type { Terminal } from '../output/terminal.js';
import { buildProgram } from '../program.js';
import { completionScript } from './scripts.js';
import { commandTree } from './tree.js';

const tree = commandTree(
  buildProgram({
    terminal: {} as Terminal,
    signal: new AbortController().signal,
    logins: new KeptLogins(''),
    exitWith: () => undefined,
  }),
);

/** What bash offers after these words, of which the last one is being typed. */
function offered(...words: string[]): string[] {
  const script = [
    completionScript('bash', tree),
    `COMP_WORDS=(espalier ${words.map((word) => `'${word}'`).join(' ')})`,
    `COMP_CWORD=${words.length}`,
    '_espalier',
    'printf "%s\\n" "${COMPREPLY[@]}"',
  ].join('\n');
  const { stdout, stderr, status } = spawnSync('bash', ['-u', '-c', script], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  return stdout.split('\n').filter((line) => line !== '');
}

describe('completion in bash', () => {
  it('offers the commands that begin so', () => {
    expect(offered('de')).toEqual(['devices', 'demo']);
    expect(offered('devices', 'end')).toEqual(['end-quarantine']);
    expect(offered('release', 'k')).toEqual(['keygen']);
  });

  it('offers the options of the command, also after arguments and values', () => {
    expect(offered('devices', 'list', '--s')).toEqual(['--server', '--selector', '--state']);
    expect(offered('devices', 'list', '--selector', 'models', '--st')).toEqual(['--state']);
    expect(offered('inspect', 'model.onnx', '--j')).toEqual(['--json']);
  });

  it('offers the values of an option that has few, and leaves the others to file names', () => {
    expect(offered('compress', '--precision', '')).toEqual(['fp32', 'int8', 'auto']);
    expect(offered('compress', '--precision', 'i')).toEqual(['int8']);
    expect(offered('compress', '--out', '')).toEqual([]);
  });

  it('offers the shells that a completion is made for', () => {
    expect(offered('completion', '')).toEqual(['bash', 'zsh', 'fish', '-h', '--help']);
  });
});

describe.each(['zsh', 'fish'] as const)('completion in %s', (shell) => {
  it('names every command', () => {
    const script = completionScript(shell, tree);
    for (const { words } of tree) expect(script).toContain(words.join(' '));
  });
});
