import type { Command } from 'commander';

/** An option as a shell completes it. */
export interface OptionWords {
  /** As `--json`; a short form, if there is one, comes first. */
  readonly flags: readonly string[];
  readonly description: string;
  readonly takesValue: boolean;
  /** All values that it takes, where they are few. */
  readonly choices: readonly string[];
}

/** What may follow the words of one command. */
export interface CommandWords {
  /** The words that lead here, as `['devices', 'list']`; none for the program itself. */
  readonly words: readonly string[];
  readonly description: string;
  /** Commands, and arguments of which all values are known. */
  readonly next: readonly { readonly name: string; readonly description: string }[];
  readonly options: readonly OptionWords[];
}

/** A program's commands, itself first, each under every name that it has. */
export function commandTree(program: Command, words: readonly string[] = []): CommandWords[] {
  const help = program.createHelp();
  const commands = help.visibleCommands(program);
  const named = commands.flatMap((command) =>
    [command.name(), ...command.aliases()].map((name) => ({ name, command })),
  );
  return [
    {
      words,
      description: program.description(),
      next: [
        ...named.map(({ name, command }) => ({ name, description: command.description() })),
        ...program.registeredArguments.flatMap(({ argChoices = [], description }) =>
          argChoices.map((name) => ({ name, description })),
        ),
      ],
      options: help.visibleOptions(program).map((option) => ({
        flags: [option.short, option.long].filter((flag) => flag != null),
        description: option.description,
        takesValue: option.required || option.optional,
        choices: option.argChoices ?? [],
      })),
    },
    ...named
      .filter(({ command }) => command.name() !== 'help')
      .flatMap(({ name, command }) => commandTree(command, [...words, name])),
  ];
}
