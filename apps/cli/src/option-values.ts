import { readFile } from 'node:fs/promises';
import { LABEL_FORM, withLabel } from '@espalier/protocol';
import { InvalidArgumentError } from 'commander';
import { CliError } from './errors.js';

/** A finite number. @throws InvalidArgumentError */
export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) {
    throw new InvalidArgumentError(`"${text}" is not a number.`);
  }
  return value;
}

/** A number above zero. @throws InvalidArgumentError */
export function positive(text: string): number {
  const value = number(text);
  if (value <= 0) throw new InvalidArgumentError('It must be above 0.');
  return value;
}

/** A whole number from `least`. */
export const whole =
  (least: number) =>
  (text: string): number => {
    const value = number(text);
    if (!Number.isSafeInteger(value) || value < least) {
      throw new InvalidArgumentError(`It must be a whole number from ${least}.`);
    }
    return value;
  };

/** A share from 0 to 1. @throws InvalidArgumentError */
export function share(text: string): number {
  const value = number(text);
  if (value < 0 || value > 1) throw new InvalidArgumentError('It must be from 0 to 1.');
  return value;
}

/** Collects `key=value`, given again and again. @throws InvalidArgumentError */
export function label(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Record<string, string> {
  const labels = withLabel(before, text);
  if (labels === null) throw new InvalidArgumentError(`It must be ${LABEL_FORM}.`);
  return labels;
}

/** A list with commas between, each part parsed. */
export const listOf =
  <T>(parse: (text: string) => T) =>
  (text: string): T[] =>
    text.split(',').map((part) => parse(part.trim()));

/** Reads a file that an option names. @throws CliError CLI_FILE */
export async function readGiven(path: string, what: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('CLI_FILE', `${what}: ${path} cannot be read (${why}).`, { cause });
  }
}
