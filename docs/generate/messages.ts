import * as protocol from '@espalier/protocol';
import type { z } from 'zod';
import { fieldRows, fieldsOf, schemaOf } from './json-schema.js';
import { cell, code, page, table } from './markdown.js';
import { commentsOf, sourceOf, sourcePaths } from './sources.js';

const { DOWN_SCHEMAS, downTopic, UP_SCHEMAS, upTopic, contentTopic } = protocol;

/** Documents that travel signed, as the payload of an envelope. */
const SIGNED = {
  root: protocol.rootSchema,
  timestamp: protocol.timestampSchema,
  target: protocol.targetSchema,
  release: protocol.releaseSchema,
  report: protocol.reportPayloadSchema,
};

/** Every topic and message between devices and server. */
export const messagesPage = (): Promise<string> => {
  const device = 'DEVICE';
  const topics = [
    ...Object.keys(UP_SCHEMAS).map((kind) => [
      code(upTopic(device, kind as keyof typeof UP_SCHEMAS)),
      'device',
      `[${kind}](#${kind})`,
    ]),
    ...Object.keys(DOWN_SCHEMAS).map((kind) => [
      code(downTopic(device, kind as keyof typeof DOWN_SCHEMAS)),
      'server',
      `[${kind}](#${kind})`,
    ]),
    [code(downTopic(device, 'chunk')), 'server', 'a chunk for one device: a binary frame'],
    [code(contentTopic('SHA256')), 'server', 'a chunk of that artifact for all who listen'],
  ];
  return page('Messages', [
    'Devices and server speak MQTT 3.1.1. Each message but a chunk is JSON in an envelope of an id and a time; the schemas are `libs/protocol`. A message that matters is acknowledged by `ack` after its commit.',
    table(['topic', 'sent by', 'message'], topics),
    '## From a device',
    ...Object.entries(UP_SCHEMAS).map(([kind, schema]) => message(kind, schema)),
    '## From the server',
    ...Object.entries(DOWN_SCHEMAS).map(([kind, schema]) => message(kind, schema)),
    '## Signed documents',
    'An envelope holds the bytes in base64, and the signatures over them; they are verified before they are parsed.',
    ...Object.entries(SIGNED).map(([kind, schema]) => message(`${kind} document`, schema)),
    '## Limits',
    table(
      ['limit', 'value'],
      Object.entries(protocol.LIMITS).map(([name, value]) => [code(name), String(value)]),
    ),
  ]);
};

function message(kind: string, schema: z.ZodType): string {
  const { whole, fields } = commentsFor(schema);
  return [
    `### ${kind}`,
    ...(whole === '' ? [] : [cell(whole)]),
    table(['field', 'value', 'what it is'], fieldRows(fieldsOf(schemaOf(schema), fields))),
  ].join('\n\n');
}

/** What the sources say of a schema, found by the name that it is exported under. */
function commentsFor(schema: z.ZodType): ReturnType<typeof commentsOf> {
  const name = Object.entries(protocol).find(([, value]) => value === schema)?.[0];
  const none = { whole: '', fields: new Map<string, string>() };
  if (name === undefined) return none;
  for (const path of sourcePaths().filter((one) => one.startsWith('libs/protocol/'))) {
    const found = commentsOf(sourceOf(path), name);
    if (found.whole !== '' || found.fields.size > 0) return found;
  }
  return none;
}
