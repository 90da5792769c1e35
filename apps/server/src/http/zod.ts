import { applyDecorators, Body, Query, type PipeTransform } from '@nestjs/common';
import { ApiBody, ApiQuery, ApiResponse } from '@nestjs/swagger';
import { z } from 'zod';
import { ServerError } from '../errors.js';

type OpenApiSchema = Exclude<
  Parameters<typeof ApiBody>[0] extends infer T
    ? T extends { schema: infer S }
      ? S
      : never
    : never,
  undefined
>;

const openApi = (schema: z.ZodType, io: 'input' | 'output'): OpenApiSchema => {
  const schemaOf = z.toJSONSchema(schema, { target: 'openapi-3.0', io, unrepresentable: 'any' });
  delete schemaOf.$schema;
  return schemaOf as OpenApiSchema;
};

class ZodPipe<T> implements PipeTransform<unknown, T> {
  constructor(private readonly schema: z.ZodType<T>) {}

  transform(value: unknown): T {
    const parsed = this.schema.safeParse(value ?? {});
    if (parsed.success) return parsed.data;
    const detail = parsed.error.issues
      .slice(0, 5)
      .map((issue) => `${issue.path.join('.') || 'the body'}: ${issue.message}`)
      .join('; ');
    throw new ServerError('REQUEST_INVALID', 400, `${detail}.`);
  }
}

/** The body, parsed; a method that takes one says so with {@link Accepts}. */
export const ZodBody = (schema: z.ZodType): ParameterDecorator => Body(new ZodPipe(schema));

/** The query, parsed; a method that takes one says so with {@link AcceptsQuery}. */
export const ZodQuery = (schema: z.ZodType): ParameterDecorator => Query(new ZodPipe(schema));

/** Documents the body. */
export const Accepts = (schema: z.ZodType): MethodDecorator =>
  ApiBody({ schema: openApi(schema, 'input') });

/** Documents the query's parameters. */
export const AcceptsQuery = (schema: z.ZodObject): MethodDecorator =>
  applyDecorators(
    ...Object.entries(schema.shape).map(([name, field]) =>
      ApiQuery({
        name,
        required: false,
        schema: openApi(field as z.ZodType, 'input'),
      }),
    ),
  ) as MethodDecorator;

/** Documents the answer. */
export const Returns = (schema: z.ZodType, status = 200): MethodDecorator =>
  ApiResponse({ status, schema: openApi(schema, 'output') });
