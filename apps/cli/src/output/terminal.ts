import Table from 'cli-table3';
import pc from 'picocolors';

type Colors = ReturnType<typeof pc.createColors>;

/** Where a command writes: results to one stream, progress and notes to another. */
export interface Terminal {
  /** Writes a line of the result. */
  print(text: string): void;
  /** Writes the one JSON document that a program asked for. */
  json(document: unknown): void;
  /** Writes a line about how things go. */
  note(text: string): void;
  readonly colors: Colors;
  /** Where bars are drawn; `isTTY` says whether they can be. */
  readonly progress: NodeJS.WriteStream;
}

/** The process's own streams; colours only where a person reads. */
export function processTerminal(): Terminal {
  const { stdout, stderr } = process;
  return {
    print: (text) => void stdout.write(`${text}\n`),
    json: (document) => void stdout.write(`${JSON.stringify(document, null, 2)}\n`),
    note: (text) => void stderr.write(`${text}\n`),
    colors: pc.createColors(coloured(stdout, process.env)),
    progress: stderr,
  };
}

function coloured(stream: NodeJS.WriteStream, environment: NodeJS.ProcessEnv): boolean {
  if (environment['NO_COLOR']) return false;
  return environment['FORCE_COLOR'] !== undefined || (stream.isTTY && stream.hasColors());
}

/** How the columns of a table are set. */
export interface TableOptions {
  /** Columns whose cells are figures, set to the right. */
  readonly right?: readonly number[];
  /** Widths in characters of columns whose text is wrapped. */
  readonly wrap?: Readonly<Record<number, number>>;
}

/** A table for people. */
export function table(
  { colors }: Pick<Terminal, 'colors'>,
  head: readonly string[],
  rows: readonly (readonly string[])[],
  { right = [], wrap = {} }: TableOptions = {},
): string {
  const drawn = new Table({
    head: head.map((title) => colors.bold(title)),
    colAligns: head.map((_, column) => (right.includes(column) ? 'right' : 'left')),
    colWidths: head.map((_, column) => wrap[column] ?? null),
    wordWrap: true,
    style: { head: [], border: [], compact: true },
  });
  drawn.push(...rows.map((row) => [...row]));
  return drawn.toString();
}

/** Names and values, one a line, the values in one column. */
export function fields(
  { colors }: Pick<Terminal, 'colors'>,
  pairs: readonly (readonly [name: string, value: string])[],
): string {
  const width = Math.max(...pairs.map(([name]) => name.length));
  return pairs.map(([name, value]) => `${colors.dim(name.padEnd(width))}  ${value}`).join('\n');
}
