import { Argument, type Command } from 'commander';
import { completionScript, SHELLS, type Shell } from '../completion/scripts.js';
import { commandTree } from '../completion/tree.js';
import type { Context } from './context.js';

/** Added last: it completes what the program has by then. */
export function addCompletion(program: Command, { terminal }: Context): void {
  program
    .command('completion')
    .description('a script that lets a shell complete commands and options')
    .addArgument(new Argument('<shell>').choices(SHELLS))
    .addHelpText(
      'after',
      [
        '',
        'bash:  eval "$(espalier completion bash)"      in ~/.bashrc',
        'zsh:   eval "$(espalier completion zsh)"       in ~/.zshrc, after compinit',
        'fish:  espalier completion fish > ~/.config/fish/completions/espalier.fish',
      ].join('\n'),
    )
    .action((shell: Shell) => {
      terminal.print(completionScript(shell, commandTree(program)).trimEnd());
    });
}
