import ts from 'typescript';
import { problemOf } from '../../apps/server/src/http/problem.js';
import { cell, code, page, table } from './markdown.js';
import { nodesIn, sourceOf, sourcePaths } from './sources.js';

const MESSAGES_SHOWN = 3;

interface Coded {
  /** The project that the code belongs to, as `libs/onnx`. */
  readonly project: string;
  /** Of HTTP, as the code is thrown; null: it is not a server's. */
  status: number | null;
  readonly messages: Set<string>;
}

/** Every stable code of an error, with what its message says. */
export const errorsPage = (): Promise<string> => {
  const files = sourcePaths().map(sourceOf);
  const codes = new Map<string, Coded>();
  for (const file of files) {
    const project = file.fileName.split('/').slice(0, 2).join('/');
    for (const name of codesIn(file)) {
      if (!codes.has(name)) codes.set(name, { project, status: null, messages: new Set() });
    }
  }
  for (const file of files) noteMessages(file, codes);
  const projects = [...new Set([...codes.values()].map(({ project }) => project))].sort();
  return page('Error codes', [
    'Codes stay; messages may change. Over HTTP an error is problem+json with its `code`, and the status below where a request can meet it. On the command line it is the first word on stderr. `…` stands for what differs.',
    ...projects.flatMap((project) => [
      `## ${project}`,
      table(
        ['code', 'HTTP', 'message'],
        [...codes]
          .filter(([, coded]) => coded.project === project)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, { status, messages }]) => [
            code(name),
            String(status ?? statusOf(name) ?? ''),
            [...messages].sort().slice(0, MESSAGES_SHOWN).map(cell).join('<br>'),
          ]),
      ),
    ]),
  ]);
};

/** Codes that a file declares: members of a `…ErrorCode` union, and codes of classes with but one. */
function codesIn(file: ts.SourceFile): string[] {
  const unions = nodesIn(file, ts.isTypeAliasDeclaration)
    .filter(({ name }) => name.text.endsWith('ErrorCode'))
    .flatMap((alias) => nodesIn(alias, ts.isStringLiteral));
  const classes = nodesIn(file, ts.isPropertyDeclaration)
    .filter(({ name }) => name.getText(file) === 'code')
    .flatMap(({ initializer }) =>
      initializer && ts.isStringLiteral(initializer) ? [initializer] : [],
    );
  return [...unions, ...classes].map(({ text }) => text).filter((text) => /^[A-Z]+_/.test(text));
}

/** Notes what is said where a code is given to an error, or to what makes one. */
function noteMessages(file: ts.SourceFile, codes: ReadonlyMap<string, Coded>): void {
  const isCall = (node: ts.Node): node is ts.NewExpression | ts.CallExpression =>
    ts.isNewExpression(node) || ts.isCallExpression(node);
  for (const call of nodesIn(file, isCall)) {
    const given = [...(call.arguments ?? [])];
    const at = given.findIndex((one) => ts.isStringLiteral(one) && codes.has(one.text));
    const named = given[at];
    if (!named || !ts.isStringLiteral(named)) continue;
    const coded = codes.get(named.text);
    const rest = given.slice(at + 1);
    const number = rest.find(ts.isNumericLiteral);
    if (coded && number && ts.isNewExpression(call)) coded.status ??= Number(number.text);
    for (const message of rest.map(textOf)) if (message) coded?.messages.add(message);
  }
}

/** A message as written, `…` where something is filled in; empty: it is not written here. */
function textOf(node: ts.Expression): string {
  if (ts.isStringLiteralLike(node)) return node.text;
  if (ts.isTemplateExpression(node)) {
    return node.head.text + node.templateSpans.map(({ literal }) => `…${literal.text}`).join('');
  }
  if (ts.isBinaryExpression(node)) return textOf(node.left) + textOf(node.right);
  return '';
}

function statusOf(name: string): number | null {
  const { status, code: told } = problemOf(Object.assign(new Error(), { code: name }));
  return told === name ? status : null;
}
