import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** A source file, parsed without types. @param path from the root of the project */
export function sourceOf(path: string): ts.SourceFile {
  const text = readFileSync(`${ROOT}${path}`, 'utf8');
  return ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
}

/** Paths of the sources of libraries and applications, in order, without tests. */
export const sourcePaths = (): string[] =>
  ['libs', 'apps']
    .flatMap((group) => readdirSync(`${ROOT}${group}`).map((name) => `${group}/${name}/src`))
    .flatMap((folder) =>
      readdirSync(`${ROOT}${folder}`, { recursive: true, encoding: 'utf8' }).map(
        (file) => `${folder}/${file}`,
      ),
    )
    .filter((path) => path.endsWith('.ts') && !/\.(spec|d)\.ts$|\/generated\//.test(path))
    .sort();

/** Every node of a tree that a test picks. */
export function nodesIn<T extends ts.Node>(
  root: ts.Node,
  picks: (node: ts.Node) => node is T,
): T[] {
  const found: T[] = [];
  const visit = (node: ts.Node): void => {
    if (picks(node)) found.push(node);
    ts.forEachChild(node, visit);
  };
  visit(root);
  return found;
}

/** The doc comment that stands before a node, as one line; empty: none. */
export function commentOn(node: ts.Node): string {
  return ts
    .getJSDocCommentsAndTags(node)
    .filter(ts.isJSDoc)
    .map(({ comment }) => ts.getTextOfJSDocComment(comment) ?? '')
    .join(' ')
    .replace(/\{@link (\w+)\}/g, '$1')
    .replace(/\s+/g, ' ')
    .trim();
}

/** What a file says of one of its constants, and of the fields of the object that it is made of. */
export function commentsOf(
  file: ts.SourceFile,
  name: string,
): { whole: string; fields: ReadonlyMap<string, string> } {
  const statement = file.statements
    .filter(ts.isVariableStatement)
    .find(({ declarationList }) =>
      declarationList.declarations.some((one) => one.name.getText(file) === name),
    );
  const fields = new Map<string, string>();
  if (!statement) return { whole: '', fields };
  const [object] = nodesIn(statement, ts.isObjectLiteralExpression);
  for (const property of object?.properties ?? []) {
    if (property.name) fields.set(property.name.getText(file), commentOn(property));
  }
  return { whole: commentOn(statement), fields };
}
