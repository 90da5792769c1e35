import { execFileSync } from 'node:child_process';
import { fieldRows, fieldsOf, typeText, type JsonSchema } from './json-schema.js';
import { cell, code, page, table } from './markdown.js';
import { ROOT } from './sources.js';

interface Operation {
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema?: JsonSchema;
  }[];
  readonly requestBody?: { readonly content?: Content };
  readonly responses?: Readonly<Record<string, { readonly content?: Content }>>;
}
type Content = Readonly<Record<string, { readonly schema?: JsonSchema }>>;

const METHODS = ['get', 'post', 'put', 'patch', 'delete'] as const;

/** Every request that the server answers, from its own OpenAPI description. */
export const apiPage = (): Promise<string> => {
  const text = execFileSync(process.execPath, ['apps/server/dist/openapi.js'], {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  const { paths } = JSON.parse(text) as {
    paths: Record<string, Partial<Record<(typeof METHODS)[number], Operation>>>;
  };
  const operations = Object.keys(paths)
    .sort()
    .flatMap((path) =>
      METHODS.flatMap((method) => {
        const operation = paths[path]?.[method];
        return operation ? [{ title: `${method.toUpperCase()} ${path}`, operation }] : [];
      }),
    );
  return page('HTTP API', [
    'A running server describes its API at `/api/docs`, for programs at `/api/docs-json`. Errors are problem+json with a stable [code](errors.md).',
    ...operations.map(({ title, operation }) => section(title, operation)),
  ]);
};

function section(title: string, operation: Operation): string {
  const parts = [`## ${title}`];
  const about = operation.summary || operation.description;
  if (about) parts.push(cell(about));
  const query = (operation.parameters ?? []).filter((one) => one.in === 'query');
  if (query.length > 0) {
    parts.push(
      table(
        ['query', 'value'],
        query.map(({ name, schema }) => [code(name), typeText(schema ?? {})]),
      ),
    );
  }
  for (const [type, { schema = {} }] of Object.entries(operation.requestBody?.content ?? {})) {
    parts.push(...fieldsTable(type === 'application/json' ? 'body' : `body, ${type}`, schema));
  }
  for (const [status, { content }] of Object.entries(operation.responses ?? {})) {
    for (const { schema } of Object.values(content ?? {})) {
      if (schema) parts.push(...fieldsTable(`answer ${status}`, schema));
    }
  }
  return parts.join('\n\n');
}

function fieldsTable(what: string, schema: JsonSchema): string[] {
  const fields = fieldsOf(schema, new Map(), 2);
  if (fields.length === 0) return [`${what}: ${typeText(schema)}`];
  return [
    table(
      [what, 'value'],
      fieldRows(fields).map(([name = '', value = '']) => [name, value]),
    ),
  ];
}
