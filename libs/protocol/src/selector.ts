import { ProtocolError } from './errors.js';

/** Labels that a device must carry, all of them; empty: every device. */
export type Selector = Readonly<Record<string, string>>;

const KEY = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

/**
 * Parses `key=value,key2=value2`.
 * @throws ProtocolError PROTOCOL_SELECTOR
 */
export function parseSelector(text: string): Selector {
  const terms = text.split(',').filter((term) => term.trim() !== '');
  return Object.fromEntries(
    terms.map((term) => {
      const at = term.indexOf('=');
      const key = term.slice(0, Math.max(at, 0)).trim();
      if (!KEY.test(key)) {
        throw new ProtocolError(
          'PROTOCOL_SELECTOR',
          `selector: "${term.slice(0, 100)}" is not of the form key=value.`,
        );
      }
      return [key, term.slice(at + 1).trim()];
    }),
  );
}

/** Whether labels carry all that a selector asks for. */
export const selects = (selector: Selector, labels: Readonly<Record<string, string>>): boolean =>
  Object.entries(selector).every(([key, value]) => labels[key] === value);
