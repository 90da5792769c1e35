/** Models to install: real ones, and ones that must not become active. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { buildModel, writeModel } from '@espalier/onnx';
import { ModelProtoSchema, StringStringEntryProtoSchema, TensorProto_DataLocation } from 'onnx-buf';

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

/** What no runtime opens. */
export const garbage = Buffer.from('this is no model at all');
