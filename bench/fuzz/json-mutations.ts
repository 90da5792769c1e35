import type { Random } from '@espalier/dataset';

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Holder = Json[] | { [key: string]: Json };
type Path = readonly [holder: Holder, key: string | number];

/** A value that no sender of ours would put there. */
const STRANGE: readonly ((random: Random) => Json)[] = [
  () => null,
  () => true,
  () => -1,
  () => 0,
  () => 0.5,
  () => 1e308,
  () => -1e308,
  () => 2 ** 53,
  () => 2 ** 53 - 1,
  () => 5e-324,
  () => '',
  () => ' ',
  () => '\0',
  () => '../../etc/passwd',
  () => '%s%n{}${7*7}<script>',
  () => '\ud800',
  () => '9'.repeat(500),
  () => 'A'.repeat(20_000),
  () => [],
  () => ({}),
  () => Array.from({ length: 5000 }, (_, i) => i),
  () => Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`k${i}`, i])),
  (random) => nested(40 + random.integer(400)),
  (random) => Buffer.from(Array.from({ length: 64 }, () => random.integer(256))).toString('base64'),
  (random) => Array.from({ length: 64 }, () => random.integer(16).toString(16)).join(''),
  (random) => new Date(random.integer(2 ** 31) * 4000 - 2 ** 42).toISOString(),
];

const KEYS = [
  '__proto__',
  'constructor',
  'toString',
  '',
  'v',
  'body',
  'epoch',
  '\u202e',
  'a'.repeat(3000),
];

/**
 * A message that is wrong somewhere: in its values, in its keys, in its JSON, or in its bytes; now and
 * then nothing but bytes. The same random numbers give the same message.
 * @param message a sound one
 */
export function mutated(message: object, random: Random): Uint8Array {
  const copy = JSON.parse(JSON.stringify(message)) as Json;
  const kind = random.integer(12);
  if (kind < 6) return encoded(spoiltValues(copy, 1 + random.integer(3), random));
  if (kind < 8) return Buffer.from(spoiltText(JSON.stringify(copy), random));
  if (kind < 11) return spoiltBytes(encoded(copy), random);
  return Buffer.from(Array.from({ length: random.integer(2000) }, () => random.integer(256)));
}

/** The same object with some of its values, or keys, replaced, dropped, added or swapped. */
export function spoiltValues(value: Json, times: number, random: Random): Json {
  for (let i = 0; i < times; i += 1) {
    const paths = pathsOf(value);
    const [holder, key] = pick(paths, random) ?? [];
    if (holder === undefined || key === undefined) return strange(random);
    const at = holder as Record<string | number, Json>;
    switch (random.integer(6)) {
      case 0:
        if (Array.isArray(holder)) holder.splice(Number(key), 1);
        else Reflect.deleteProperty(holder, key);
        break;
      case 1:
        if (Array.isArray(holder)) holder.push(...holder.slice(0, 100));
        else Object.defineProperty(at, pick(KEYS, random) ?? '', property(strange(random)));
        break;
      case 2: {
        const [other, otherKey] = pick(paths, random) ?? [];
        const given = (other as Record<string | number, Json> | undefined)?.[otherKey ?? ''];
        at[key] = given === undefined || given === value ? null : structuredClone(given);
        break;
      }
      default:
        at[key] = strange(random);
    }
  }
  return value;
}

const property = (value: Json) => ({
  ...{ value, enumerable: true, writable: true, configurable: true },
});

/** JSON that is no more, or that says a thing twice. */
function spoiltText(text: string, random: Random): string {
  const at = random.integer(text.length);
  switch (random.integer(8)) {
    case 0:
      return `${'['.repeat(1 + random.integer(100_000))}${text}`;
    case 1:
      return text.replace('{', '{"v":2,"id":"twice","epoch":-1,');
    case 2:
      return text.replace(/\d+/, '9'.repeat(400));
    case 3:
      return text.replace(/"([^"]*)"/, "'$1'");
    case 4:
      return `${text}${text}`;
    case 5:
      return text.slice(0, at) + String.fromCharCode(random.integer(65_536)) + text.slice(at);
    case 6:
      return `\ufeff${text}`;
    default:
      return `${text.slice(0, -1)},"padding":"${'x'.repeat(random.integer(260_000))}"}`;
  }
}

/** Bytes cut, flipped, inserted or repeated. */
export function spoiltBytes(bytes: Uint8Array, random: Random): Uint8Array {
  const at = random.integer(bytes.length + 1);
  switch (random.integer(4)) {
    case 0:
      return bytes.slice(0, at);
    case 1: {
      const out = bytes.slice();
      for (let i = 1 + random.integer(8); i > 0 && out.length > 0; i -= 1) {
        const where = random.integer(out.length);
        out[where] = (out[where] ?? 0) ^ (1 << random.integer(8));
      }
      return out;
    }
    case 2: {
      const added = Buffer.from(
        Array.from({ length: random.integer(64) }, () => random.integer(256)),
      );
      return Buffer.concat([bytes.subarray(0, at), added, bytes.subarray(at)]);
    }
    default:
      return Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)]);
  }
}

export function pick<T>(items: readonly T[], random: Random): T | undefined {
  return items[random.integer(items.length)];
}

function pathsOf(value: Json): Path[] {
  if (value === null || typeof value !== 'object') return [];
  const keys: (string | number)[] = Array.isArray(value)
    ? value.slice(0, 64).map((_, index) => index)
    : Object.keys(value);
  return keys.flatMap((key): Path[] => [
    [value, key],
    ...pathsOf((value as Record<string | number, Json>)[key] ?? null),
  ]);
}

function strange(random: Random): Json {
  return pick(STRANGE, random)?.(random) ?? null;
}

function nested(depth: number): Json {
  let value: Json = [];
  for (let i = 0; i < depth; i += 1) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

const encoded = (value: Json): Uint8Array => Buffer.from(JSON.stringify(value));
