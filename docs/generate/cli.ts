import { agentCommand } from '../../apps/agent/src/options.js';
import { EXIT_CODES } from '../../apps/cli/src/exit.js';
import { buildProgram } from '../../apps/cli/src/program.js';
import { simulatorCommand } from '../../apps/simulator/src/options.js';
import { cell, code, page, table } from './markdown.js';

type Context = Parameters<typeof buildProgram>[0];
type Command = ReturnType<typeof buildProgram>;
type Option = Command['options'][number];

/** Options that every command of a server has: said once. */
const SHARED = ['--server', '--token', '--json'];

/** Every command and option of `espalier`, of the agent and of the simulator. */
export const cliPage = (): Promise<string> => {
  const program = buildProgram({} as Context);
  const leaves = leavesOf(program);
  const shared = leaves
    .map(({ command }) => command)
    .flatMap(({ options }) => options.filter(({ long }) => SHARED.includes(long ?? '')))
    .filter((option, at, all) => all.findIndex(({ long }) => long === option.long) === at);
  return page('Command line', [
    'Results go to stdout, progress and errors to stderr. With `--json` a command prints one JSON document.',
    table(
      ['exit code', 'means'],
      EXIT_CODES.map(({ code: exit, means }) => [String(exit), cell(means)]),
    ),
    '`espalier completion bash|zsh|fish` prints what makes a shell complete all of this.',
    'Commands that speak with a server also take:',
    optionTable(shared),
    ...leaves.map(({ words, command }) => section(`espalier ${words}`, command, SHARED)),
    section('espalier-agent', agentCommand(), []),
    section('espalier-simulator', simulatorCommand(), []),
  ]);
};

interface Leaf {
  readonly words: string;
  readonly command: Command;
}

const leavesOf = (command: Command, words = ''): Leaf[] =>
  command.commands.flatMap((child) => {
    const own = words === '' ? child.name() : `${words} ${child.name()}`;
    return child.commands.length > 0 ? leavesOf(child, own) : [{ words: own, command: child }];
  });

function section(title: string, command: Command, leftOut: readonly string[]): string {
  const options = command.options.filter(({ long }) => !leftOut.includes(long ?? ''));
  const given = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  return [
    `## ${title}`,
    `${code([title, ...given].join(' '))}: ${cell(command.description())}.`.replace('..', '.'),
    ...(options.length > 0 ? [optionTable(options)] : []),
  ].join('\n\n');
}

const optionTable = (options: readonly Option[]): string =>
  table(
    ['option', 'what it is', 'default', 'environment'],
    options.map((option) => [
      code(option.flags),
      cell(
        [option.description, ...(option.argChoices ? [option.argChoices.join(', ')] : [])].join(
          ': ',
        ),
      ) + (option.mandatory ? ' (needed)' : ''),
      defaultOf(option),
      option.envVar === undefined ? '' : code(option.envVar),
    ]),
  );

function defaultOf({ long, defaultValue }: Option): string {
  if (defaultValue === undefined || defaultValue === '') return '';
  // It is the machine's own, and differs from one to the next.
  if (long === '--name' && !['admin', 'simulated'].includes(String(defaultValue)))
    return 'host name';
  if (typeof defaultValue !== 'object') return code(String(defaultValue));
  return Object.keys(defaultValue as object).length === 0 ? '' : code(JSON.stringify(defaultValue));
}
