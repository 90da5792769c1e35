/** Models to install: real ones, and ones that must not become active. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { buildModel, floatTensor, int64Scalar, openSession, writeModel } from '@espalier/onnx';
import {
  AttributeProto_AttributeType,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  StringStringEntryProtoSchema,
  TensorProto_DataLocation,
  TensorProto_DataType,
  ValueInfoProtoSchema,
} from 'onnx-buf';

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url));

export const input = `${examples}fashion-evaluation.npz`;
export const model = readFileSync(`${examples}fashion-mobilenetv2.onnx`);

/** The same model with bytes behind it that readers skip (a field that ONNX does not know). */
export function padded(length: number, seed: number): Buffer {
  const tail = Buffer.alloc(length);
  let x = seed;
  for (let at = 0; at < length; at += 1) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    tail[at] = x >>> 24;
  }
  const digits = [(length & 127) | 128, ((length >> 7) & 127) | 128, length >> 14];
  return Buffer.concat([model, Buffer.from([0xfa, 0x3f, ...digits]), tail]);
}

/** A model whose output is not finite: the logarithm of an input with a zero in it. */
export const notFinite = writeModel(
  buildModel({
    inputs: [{ name: 'image', shape: [1, 4] }],
    outputs: [{ name: 'logits', shape: [1, 4] }],
    nodes: [{ op: 'Log', inputs: ['image'], outputs: ['logits'] }],
  }),
);

/** A model that reads its weights from another file of the device. */
export function withExternalData(location: string): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, model);
  const [weight] = proto.graph!.initializer;
  weight!.rawData = new Uint8Array(0);
  weight!.dataLocation = TensorProto_DataLocation.EXTERNAL;
  weight!.externalData = [
    create(StringStringEntryProtoSchema, { key: 'location', value: location }),
  ];
  return toBinary(ModelProtoSchema, proto);
}

/** A model that never comes back: a loop of more rounds than anyone can wait for. */
export function endless(): Uint8Array {
  const typed = (name: string, elemType: TensorProto_DataType, sizes: readonly number[]) =>
    create(ValueInfoProtoSchema, {
      name,
      type: {
        value: {
          case: 'tensorType',
          value: {
            elemType,
            shape: {
              dim: sizes.map((size) => ({
                value: { case: 'dimValue' as const, value: BigInt(size) },
              })),
            },
          },
        },
      },
    });
  const { BOOL, FLOAT, INT64 } = TensorProto_DataType;
  const identity = (input: string, output: string) =>
    create(NodeProtoSchema, { opType: 'Identity', input: [input], output: [output] });
  const negated = create(NodeProtoSchema, { opType: 'Neg', input: ['before'], output: ['after'] });
  const body = create(GraphProtoSchema, {
    name: 'round',
    node: [identity('goes', 'on'), negated],
    input: [typed('count', INT64, []), typed('goes', BOOL, []), typed('before', FLOAT, [1, 4])],
    output: [typed('on', BOOL, []), typed('after', FLOAT, [1, 4])],
  });
  const proto = fromBinary(
    ModelProtoSchema,
    writeModel(
      buildModel({
        inputs: [{ name: 'image', shape: [1, 4] }],
        outputs: [{ name: 'logits', shape: [1, 4] }],
        initializers: { rounds: int64Scalar(Number.MAX_SAFE_INTEGER) },
        nodes: [{ op: 'Identity', inputs: ['image'], outputs: ['logits'] }],
      }),
    ),
  );
  proto.graph!.node = [
    create(NodeProtoSchema, {
      opType: 'Loop',
      input: ['rounds', '', 'image'],
      output: ['logits'],
      attribute: [{ name: 'body', type: AttributeProto_AttributeType.GRAPH, g: body }],
    }),
  ];
  return toBinary(ModelProtoSchema, proto);
}

/** What no runtime opens. */
export const garbage = Buffer.from('this is no model at all');

const WIDTH = 512;

/** A product of an input and the same square matrix, so many times over. */
function products(count: number): Uint8Array {
  const identity = new Float32Array(WIDTH * WIDTH);
  for (let at = 0; at < WIDTH; at += 1) identity[at * WIDTH + at] = 1;
  // A row of fractions, so that even few products do not expand a thousandfold, which is refused.
  for (let at = 1; at < WIDTH; at += 1) identity[at] = 1 / (at + 1);
  const name = (at: number): string => (at === 0 ? 'x' : at === count ? 'y' : `h${at}`);
  return writeModel(
    buildModel({
      inputs: [{ name: 'x', shape: [WIDTH, WIDTH] }],
      outputs: [{ name: 'y', shape: [WIDTH, WIDTH] }],
      initializers: { w: floatTensor([WIDTH, WIDTH], identity) },
      nodes: Array.from({ length: count }, (_, at) => ({
        op: 'MatMul',
        inputs: [name(at), 'w'],
        outputs: [name(at + 1)],
      })),
    }),
  );
}

/** A model that takes at least so long to run once on one thread of this machine. */
export async function slow(seconds: number): Promise<Uint8Array> {
  const SOME = 20;
  const session = await openSession(products(SOME), { threads: 1 });
  const x = floatTensor([WIDTH, WIDTH], new Float32Array(WIDTH * WIDTH));
  // The fastest of several runs: what else this machine does makes a run longer only.
  let fastest = Infinity;
  for (let run = 0; run < 6; run += 1) {
    const started = performance.now();
    await session.run({ x });
    fastest = Math.min(fastest, performance.now() - started);
  }
  await session.release();
  return products(Math.ceil((SOME * seconds * 1000 * 1.2) / fastest));
}
