import prettier from 'prettier';
import { ROOT } from './sources.js';

/** Text in a cell of a table. */
export const cell = (text: string): string =>
  text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replace(/\s+/g, ' ').trim();

/** Code in a cell; nothing for nothing. */
export const code = (text: string): string =>
  text === '' ? '' : `\`${text.replaceAll('|', '\\|')}\``;

/** A table; its cells are Markdown already. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A page: where it comes from, then its parts, in the form of every other file. */
export async function page(title: string, parts: readonly string[]): Promise<string> {
  const text = [
    `# ${title}`,
    '<!-- Made from the code by `npm run docs`; changes by hand are lost. -->',
    ...parts,
  ].join('\n\n');
  const path = `${ROOT}docs/reference/page.md`;
  const options = await prettier.resolveConfig(path);
  return prettier.format(text, { ...options, filepath: path });
}
