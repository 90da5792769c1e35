import type { Prisma } from '../generated/prisma/client.js';
import { ServerError } from '../errors.js';

/** Labels that a device must carry, all of them; empty: every device. */
export type Selector = Readonly<Record<string, string>>;

const KEY = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

/**
 * Parses `key=value,key2=value2`.
 * @throws ServerError REQUEST_INVALID
 */
export function parseSelector(text: string): Selector {
  const terms = text.split(',').filter((term) => term.trim() !== '');
  return Object.fromEntries(
    terms.map((term) => {
      const at = term.indexOf('=');
      const key = term.slice(0, Math.max(at, 0)).trim();
      if (!KEY.test(key)) {
        throw new ServerError(
          'REQUEST_INVALID',
          400,
          `selector: "${term.slice(0, 100)}" is not of the form key=value.`,
        );
      }
      return [key, term.slice(at + 1).trim()];
    }),
  );
}

/** The selector as a database condition. */
export function whereSelected(selector: Selector): Prisma.DeviceWhereInput {
  return {
    AND: Object.entries(selector).map(([key, value]) => ({
      labels: { path: `$."${key}"`, equals: value },
    })),
  };
}
