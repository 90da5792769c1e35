/** A process that reads spoilt models, given on the command line: from, to, seed, folder of originals. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  activationArena,
  buildModel,
  countModel,
  floatTensor,
  foldConstants,
  inferShapes,
  readModel,
  writeModel,
} from '@espalier/onnx';
import { seededRandom } from '@espalier/dataset';
import { namesExternalData } from '@espalier/onnx/external-data';
import { BYTE_MUTATIONS, GRAPH_MUTATIONS } from '../robustness/mutations.js';
import { pick } from './json-mutations.js';
import { lyingLengths } from './wire-mutations.js';

/** Larger files would say no more, and take longer to spoil. */
const LARGEST = 2 ** 20;
const MUTATIONS = [...BYTE_MUTATIONS, ...GRAPH_MUTATIONS, ...lyingLengths];

const [from = '0', to = '0', seed = '1', ...folders] = process.argv.slice(2);
const originals = [generated(), ...folders.flatMap(modelsIn)];
for (let index = Number(from); index < Number(to); index += 1) {
  const random = seededRandom(Number(seed) * 1_000_003 + index);
  const original = pick(originals, random) ?? generated();
  const mutation = MUTATIONS[index % MUTATIONS.length];
  const started = performance.now();
  let bytes = mutation?.apply(original, random) ?? original;
  // One mutation upon another, now and then.
  if (random.next() < 0.3) bytes = twice(bytes, random);
  const spoilt = performance.now();
  const code = answerTo(bytes);
  const milliseconds = performance.now() - spoilt;
  process.stdout.write(
    `${JSON.stringify({ index, mutation: mutation?.name, code, milliseconds, made: spoilt - started })}\n`,
  );
}

/** Everything that the library does with a model; the code of the refusal, or `accepted`. */
function answerTo(bytes: Uint8Array): string {
  try {
    namesExternalData(bytes);
    const model = readModel(bytes);
    inferShapes(model);
    countModel(model);
    activationArena(model);
    writeModel(foldConstants(model));
    return 'accepted';
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : '';
    return /^ONNX_[A-Z_]+$/.test(code) ? code : `UNCODED ${String((error as Error).stack)}`;
  }
}

function twice(bytes: Uint8Array, random: ReturnType<typeof seededRandom>): Uint8Array {
  try {
    return pick(MUTATIONS, random)?.apply(bytes, random) ?? bytes;
  } catch {
    // What was spoilt already cannot be taken apart again.
    return bytes;
  }
}

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
