/** Models to install: real ones, and ones that must not become active. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { buildModel, writeModel } from '@espalier/onnx';

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

/** What no runtime opens. */
export const garbage = Buffer.from('this is no model at all');
