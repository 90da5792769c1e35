import type { CommandWords, OptionWords } from './tree.js';

/** Shells that a completion can be made for. */
export const SHELLS = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof SHELLS)[number];

/** The script that teaches a shell the commands and options of `espalier`. */
export function completionScript(shell: Shell, tree: readonly CommandWords[]): string {
  switch (shell) {
    case 'bash':
      return bashScript(tree);
    case 'zsh':
      return zshScript(tree);
    case 'fish':
      return fishScript(tree);
  }
}

const pathOf = ({ words }: CommandWords): string => words.join(' ');

const valued = (tree: readonly CommandWords[]): { at: string; option: OptionWords }[] =>
  tree.flatMap((command) =>
    command.options
      .filter(({ takesValue }) => takesValue)
      .map((option) => ({ at: pathOf(command), option })),
  );

/** Patterns of a shell's `case`: `"compress --out"|"compress --card"`. */
const patterns = (pairs: readonly { at: string; option: OptionWords }[]): string =>
  pairs.flatMap(({ at, option }) => option.flags.map((flag) => `"${at} ${flag}"`)).join('|');

/** Walks the words before the cursor: bash and zsh differ in how they count these. */
const walk = (
  tree: readonly CommandWords[],
  words: string,
  first: number,
  end: string,
): string => `\
  local at="" before="" skip="" word i
  for ((i = ${first}; i < ${end}; i++)); do
    word="\${${words}[i]}"
    before="$word"
    if [[ -n $skip ]]; then skip=""; continue; fi
    if [[ $word == -* ]]; then
      case "$at $word" in
        ${patterns(valued(tree))}) skip=1;;
      esac
      continue
    fi
    case "\${at:+$at }$word" in
      ${tree
        .filter(({ words: own }) => own.length > 0)
        .map((command) => `"${pathOf(command)}"`)
        .join('|')}) at="\${at:+$at }$word";;
    esac
  done`;

const choices = (tree: readonly CommandWords[], offer: (values: string) => string): string =>
  valued(tree)
    .filter(({ option }) => option.choices.length > 0)
    .map((pair) => `      ${patterns([pair])}) ${offer(pair.option.choices.join(' '))};;`)
    .join('\n');

function bashScript(tree: readonly CommandWords[]): string {
  const words = tree.map((command) => {
    const all = [
      ...command.next.map(({ name }) => name),
      ...command.options.flatMap(({ flags }) => flags),
    ];
    return `    "${pathOf(command)}") offered="${all.join(' ')}";;`;
  });
  return `# Made by \`espalier completion bash\`.
_espalier() {
  local offered="" current="\${COMP_WORDS[COMP_CWORD]}"
${walk(tree, 'COMP_WORDS', 1, 'COMP_CWORD')}
  COMPREPLY=()
  if [[ -n $skip ]]; then
    case "$at $before" in
${choices(tree, (values) => `COMPREPLY=($(compgen -W "${values}" -- "$current"))`)}
    esac
    return
  fi
  case "$at" in
${words.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$offered" -- "$current"))
}
complete -o default -F _espalier espalier
`;
}

/** In single quotes for any of the shells; \`:\` is escaped, which zsh takes for a separator. */
const quoted = (text: string): string => `'${text.replaceAll("'", '’')}'`;
const described = (name: string, description: string): string =>
  quoted(`${name}:${description.replaceAll(':', '\\:')}`);

function zshScript(tree: readonly CommandWords[]): string {
  const cases = tree.map((command) => {
    const commands = command.next.map((one) => described(one.name, one.description));
    const options = command.options.flatMap(({ flags, description }) =>
      flags.map((flag) => described(flag, description)),
    );
    return `    "${pathOf(command)}") commands=(${commands.join(' ')}) options=(${options.join(' ')});;`;
  });
  return `#compdef espalier
# Made by \`espalier completion zsh\`.
_espalier() {
  local -a commands options
${walk(tree, 'words', 2, 'CURRENT')}
  if [[ -n $skip ]]; then
    case "$at $before" in
${choices(tree, (values) => `compadd ${values}; return`)}
    esac
    _files
    return
  fi
  case "$at" in
${cases.join('\n')}
  esac
  if [[ $words[CURRENT] == -* ]]; then
    _describe option options
  elif (( $#commands )); then
    _describe command commands
  else
    _files
  fi
}
if [[ $funcstack[1] == _espalier ]]; then _espalier "$@"; else compdef _espalier espalier; fi
`;
}

function fishScript(tree: readonly CommandWords[]): string {
  const lines = tree.flatMap((command) => {
    const here = `complete -c espalier -n '__espalier_at "${pathOf(command)}"'`;
    return [
      ...command.next.map(
        ({ name, description }) => `${here} -f -a ${name} -d ${quoted(description)}`,
      ),
      ...command.options.flatMap(({ flags, description, takesValue, choices: values }) =>
        flags.map((flag) => {
          const name = flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`;
          const value = takesValue ? ' -r' : '';
          const given = values.length > 0 ? ` -f -a ${quoted(values.join(' '))}` : '';
          return `${here} ${name}${value}${given} -d ${quoted(description)}`;
        }),
      ),
    ];
  });
  const known = tree
    .filter(({ words }) => words.length > 0)
    .map((command) => quoted(pathOf(command)));
  return `# Made by \`espalier completion fish\`.
function __espalier_at
  set -l at ''
  for word in (commandline -opc)[2..]
    string match -q -- '-*' $word; and continue
    set -l next (string trim "$at $word")
    contains -- $next ${known.join(' ')}; and set at $next
  end
  test "$at" = "$argv[1]"
end
${lines.join('\n')}
`;
}
