import { environmentSchema as ofBroker } from '../../apps/broker/src/configuration.js';
import { environmentSchema as ofServer } from '../../apps/server/src/configuration.js';
import type { z } from 'zod';
import { schemaOf, typeText } from './json-schema.js';
import { cell, code, page, table } from './markdown.js';
import { commentsOf, sourceOf } from './sources.js';

/** Environment variables of the server and of the broker. */
export const configurationPage = (): Promise<string> =>
  page('Configuration', [
    'The server and the broker are configured by environment variables; an empty one counts as not given. What the command line and the agent take, by options and by variables, is in [cli.md](cli.md).',
    '## Server (`espalier-server`)',
    variables(ofServer, 'apps/server/src/configuration.ts'),
    '## Broker (`apps/broker`)',
    'The server starts it and gives it these; they are needed where the broker is started by hand.',
    variables(ofBroker, 'apps/broker/src/configuration.ts'),
  ]);

function variables(schema: z.ZodType, path: string): string {
  const { properties = {}, required = [] } = schemaOf(schema);
  const { fields } = commentsOf(sourceOf(path), 'environmentSchema');
  const rows = Object.entries(properties).map(([name, field]) => [
    code(name),
    typeText(field),
    field.default === undefined
      ? required.includes(name)
        ? '**needed**'
        : ''
      : code(String(field.default)),
    cell(fields.get(name) ?? ''),
  ]);
  return table(['variable', 'value', 'default', 'what it is'], rows);
}
