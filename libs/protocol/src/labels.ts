import { labelsSchema } from './primitives.js';

/** How a label is written. */
export const LABEL_FORM = 'key=value, the key of a-z, 0-9, _, . and -';

/** Labels with another one, written `key=value`, over the former of its key; null: it is not of that form. */
export function withLabel(
  labels: Readonly<Record<string, string>>,
  text: string,
): Record<string, string> | null {
  const at = text.indexOf('=');
  if (at < 1) return null;
  const more = labelsSchema.safeParse({ ...labels, [text.slice(0, at)]: text.slice(at + 1) });
  return more.data ?? null;
}
