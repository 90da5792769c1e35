import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom, type Random } from '@espalier/dataset';
import { buildModel, floatTensor, writeModel } from '@espalier/onnx';
import { BYTE_MUTATIONS, GRAPH_MUTATIONS, type Mutation } from '../robustness/mutations.js';
import { pick } from './json-mutations.js';
import { lyingLengths } from './wire-mutations.js';

/** Larger files would say no more, and take longer to spoil. */
const LARGEST = 2 ** 20;
const WIRE_MUTATIONS = [...BYTE_MUTATIONS, ...lyingLengths];
const MUTATIONS = [...BYTE_MUTATIONS, ...GRAPH_MUTATIONS, ...lyingLengths];

/** A small graph, and the models of these folders. */
export function originalModels(folders: readonly string[]): Uint8Array[] {
  return [generated(), ...folders.flatMap(modelsIn)];
}

/** File `index` of the files that a seed gives: one of the originals, spoilt once or twice. */
export function spoiltModel(
  originals: readonly Uint8Array[],
  seed: number,
  index: number,
): { name: string; bytes: Uint8Array } {
  const random = seededRandom(seed * 1_000_003 + index);
  const original = pick(originals, random) ?? generated();
  const first = MUTATIONS[index % MUTATIONS.length];
  // What is spoilt on the wire cannot be taken apart again, so that comes last.
  const second = random.next() < 0.3 ? pick(WIRE_MUTATIONS, random) : undefined;
  const named = [first, second].filter((mutation) => mutation !== undefined);
  return {
    name: named.map(({ name }) => name).join(', '),
    bytes: named.reduce((bytes, mutation) => spoilt(mutation, bytes, random), original),
  };
}

const spoilt = (mutation: Mutation, bytes: Uint8Array, random: Random): Uint8Array =>
  bytes.length === 0 ? bytes : mutation.apply(bytes, random);

function modelsIn(folder: string): Uint8Array[] {
  return readdirSync(folder)
    .filter((name) => name.endsWith('.onnx'))
    .sort()
    .map((name) => new Uint8Array(readFileSync(join(folder, name))))
    .filter(({ length }) => length <= LARGEST);
}

/** A small graph with control over shapes: constants, reshapes, a convolution. */
function generated(): Uint8Array {
  return writeModel(
    buildModel({
      inputs: [{ name: 'x', shape: ['N', 3, 8, 8] }],
      outputs: [{ name: 'y' }],
      initializers: {
        w: floatTensor([4, 3, 3, 3], new Float32Array(108).fill(0.1)),
        r: floatTensor([1], [2]),
      },
      nodes: [
        {
          ...{ op: 'Conv', inputs: ['x', 'w'], outputs: ['c'] },
          attributes: { pads: { ints: [1, 1, 1, 1] }, strides: { ints: [2, 2] } },
        },
        { op: 'Relu', inputs: ['c'], outputs: ['a'] },
        { op: 'Shape', inputs: ['a'], outputs: ['s'] },
        { op: 'ConstantOfShape', inputs: ['s'], outputs: ['z'] },
        { op: 'Add', inputs: ['a', 'z'], outputs: ['b'] },
        { op: 'Mul', inputs: ['b', 'r'], outputs: ['m'] },
        { op: 'Flatten', inputs: ['m'], outputs: ['y'] },
      ],
    }),
  );
}
