import { parseSelector as parse, ProtocolError, type Selector } from '@espalier/protocol';
import type { Prisma } from '../generated/prisma/client.js';
import { ServerError } from '../errors.js';
import type { Database } from '../persistence/database.js';

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

/** The selector as a condition of the database, each kind of which has its own way to name a key. */
export function whereSelected(
  selector: Selector,
  { kind }: Pick<Database, 'kind'>,
): { AND: Prisma.DeviceWhereInput[] } {
  return {
    AND: Object.entries(selector).map(([key, value]) => {
      const path = kind === 'sqlite' ? `$."${key}"` : ([key] as unknown as string);
      return { labels: { path, equals: value } };
    }),
  };
}
