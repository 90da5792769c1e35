import { parseSelector as parse, ProtocolError, type Selector } from '@espalier/protocol';
import type { Prisma } from '../generated/prisma/client.js';
import { ServerError } from '../errors.js';

/**
 * Parses `key=value,key2=value2`.
 * @throws ServerError REQUEST_INVALID
 */
export function parseSelector(text: string): Selector {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new ServerError('REQUEST_INVALID', 400, cause.message, { cause });
  }
}

/** The selector as a database condition. */
export function whereSelected(selector: Selector): Prisma.DeviceWhereInput {
  return {
    AND: Object.entries(selector).map(([key, value]) => ({
      labels: { path: `$."${key}"`, equals: value },
    })),
  };
}
