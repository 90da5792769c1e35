import { z } from 'zod';
import { cell, code } from './markdown.js';

/** As much of JSON Schema as our schemas become. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly items?: JsonSchema;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly allOf?: readonly JsonSchema[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number | boolean;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly default?: unknown;
  readonly nullable?: boolean;
}

export const schemaOf = (schema: z.ZodType): JsonSchema =>
  z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as JsonSchema;

/** What values a schema takes, in a few words. */
export function typeText(schema: JsonSchema): string {
  const choices = schema.anyOf ?? schema.oneOf;
  if (choices) {
    return [...new Set(choices.map(typeText))].join(' or ');
  }
  if (schema.allOf) return schema.allOf.map(typeText).join(' and ');
  if (schema.const !== undefined) return code(JSON.stringify(schema.const));
  if (schema.enum) return schema.enum.map((value) => code(String(value))).join(', ');
  return `${plainText(schema)}${schema.nullable ? ' or null' : ''}`;
}

function plainText(schema: JsonSchema): string {
  switch (schema.type) {
    case 'array':
      return `list of ${typeText(schema.items ?? {})}${range(schema.minItems, schema.maxItems, ' items')}`;
    case 'object':
      return schema.properties ? 'object' : mapText(schema);
    case 'string':
      return `${schema.format ?? 'text'}${range(schema.minLength === 1 ? undefined : schema.minLength, schema.maxLength, ' characters')}`;
    case 'integer':
    case 'number': {
      const least =
        typeof schema.exclusiveMinimum === 'number' ? schema.exclusiveMinimum : schema.minimum;
      const most = schema.maximum === Number.MAX_SAFE_INTEGER ? undefined : schema.maximum;
      const lowest = least === Number.MIN_SAFE_INTEGER ? undefined : least;
      return `${schema.type === 'integer' ? 'whole number' : 'number'}${range(lowest, most)}`;
    }
    case undefined:
      return 'any';
    default:
      return [schema.type].flat().join(' or ');
  }
}

const mapText = ({ additionalProperties }: JsonSchema): string =>
  typeof additionalProperties === 'object' ? `map to ${typeText(additionalProperties)}` : 'object';

function range(least?: number, most?: number, unit = ''): string {
  if (least === undefined && most === undefined) return '';
  if (most === undefined) return `, from ${least}${unit}`;
  return least === undefined ? `, up to ${most}${unit}` : `, ${least} to ${most}${unit}`;
}

/** A field of an object, by the path that leads to it. */
export interface Field {
  readonly path: string;
  readonly type: string;
  readonly required: boolean;
  readonly about: string;
}

/** The fields of an object and of the objects in it. @param depth how many objects deep */
export function fieldsOf(
  schema: JsonSchema,
  comments: ReadonlyMap<string, string> = new Map(),
  depth = 4,
  prefix = '',
): Field[] {
  const object = objectIn(schema);
  if (!object?.properties || depth === 0) return [];
  const required = new Set(object.required ?? []);
  return Object.entries(object.properties).flatMap(([name, field]) => {
    const isList = field.type === 'array' && objectIn(field.items ?? {})?.properties !== undefined;
    const path = `${prefix}${name}${isList ? '[]' : ''}`;
    const inner = fieldsOf(isList ? (field.items ?? {}) : field, new Map(), depth - 1, `${path}.`);
    const about = prefix === '' ? (comments.get(name) ?? '') : '';
    return [{ path, type: typeText(field), required: required.has(name), about }, ...inner];
  });
}

/** The object among what a schema allows, such as of one that may be null. */
const objectIn = (schema: JsonSchema): JsonSchema | undefined =>
  schema.properties
    ? schema
    : (schema.anyOf ?? schema.oneOf ?? schema.allOf ?? []).find(({ properties }) => properties);

/** Rows for a table of fields. */
export const fieldRows = (fields: readonly Field[]): string[][] =>
  fields.map(({ path, type, required, about }) => [
    code(path),
    required ? type : `${type}; optional`,
    cell(about),
  ]);
