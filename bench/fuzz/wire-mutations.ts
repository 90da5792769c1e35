import type { Random } from '@espalier/dataset';
import type { Mutation } from '../robustness/mutations.js';

const HUGE = [0xff, 0xff, 0xff, 0xff, 0x0f];

/** Mutations of the protobuf wire: what a field announces, and how deep it goes. */
export const lyingLengths: readonly Mutation[] = [
  {
    name: 'a length that lies',
    apply: (bytes, random) => {
      const at = random.integer(Math.max(1, bytes.length - 8));
      return Buffer.concat([bytes.subarray(0, at), Uint8Array.from(HUGE), bytes.subarray(at + 1)]);
    },
  },
  {
    name: 'a part of the file again',
    apply: (bytes, random) => {
      const at = random.integer(bytes.length);
      return Buffer.concat([bytes, bytes.subarray(at, at + random.integer(4096))]);
    },
  },
  {
    name: 'another wire type',
    apply: (bytes, random) => {
      const out = bytes.slice();
      for (let i = 0; i < 4; i += 1) {
        const at = random.integer(Math.min(out.length, 2048));
        out[at] = ((out[at] ?? 0) & 0xf8) | random.integer(8);
      }
      return out;
    },
  },
  {
    name: 'graphs in graphs',
    apply: (bytes, random) => {
      let graph: Uint8Array = new Uint8Array(0);
      for (let depth = random.integer(3000); depth > 0; depth -= 1) {
        graph = field(1, field(5, field(6, graph)));
        if (graph.length > 2 ** 20) break;
      }
      return Buffer.concat([bytes, field(7, graph)]);
    },
  },
  {
    name: 'many small parts',
    apply: (bytes, random) => {
      const parts = new Uint8Array(2 * random.integer(2 ** 21));
      const number = 1 + random.integer(15);
      for (let at = 0; at < parts.length; at += 2) parts[at] = (number << 3) | 2;
      return Buffer.concat([bytes, field(7, parts)]);
    },
  },
  {
    name: 'packed numbers',
    apply: (bytes, random) => {
      const numbers = new Uint8Array(random.integer(2 ** 22)).fill(random.integer(128));
      return Buffer.concat([bytes, field(7, field(5, field(1 + random.integer(14), numbers)))]);
    },
  },
  {
    name: 'nothing but bytes',
    apply: (_, random) => bytesOf(random.integer(4096), random),
  },
];

function bytesOf(length: number, random: Random): Uint8Array {
  return Uint8Array.from({ length }, () => random.integer(256));
}

function field(number: number, content: Uint8Array): Uint8Array {
  const varint = (value: number): number[] =>
    value > 127 ? [(value & 127) | 128, ...varint(value >>> 7)] : [value];
  return Buffer.concat([
    Uint8Array.from([...varint((number << 3) | 2), ...varint(content.length)]),
    content,
  ]);
}
