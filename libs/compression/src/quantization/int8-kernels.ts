import { arch } from 'node:os';
import {
  buildModel,
  floatTensor,
  int8Tensor,
  openSession,
  scalar,
  uint8Tensor,
} from '@espalier/onnx';

/** Whether ONNX Runtime's int8 products are exact on this processor, or saturate pair by pair. */
export type Int8Products = 'exact' | 'saturating';

const WIDTH = 64;

/**
 * Multiplies the largest activations with the largest weights through ONNX Runtime and compares: x86
 * without VNNI adds two such products in 16 bits, and loses half of the sum.
 */
export async function measureInt8Products(): Promise<Int8Products> {
  const model = buildModel({
    opset: 13,
    inputs: [{ name: 'x', shape: [1, WIDTH] }],
    outputs: [{ name: 'y', shape: [1, WIDTH] }],
    nodes: [
      { op: 'QuantizeLinear', inputs: ['x', 's', 'z'], outputs: ['q'] },
      { op: 'DequantizeLinear', inputs: ['q', 's', 'z'], outputs: ['d'] },
      { op: 'DequantizeLinear', inputs: ['w', 's', 'wz'], outputs: ['v'] },
      { op: 'Gemm', inputs: ['d', 'v'], outputs: ['y'] },
    ],
    initializers: {
      s: scalar(1),
      z: uint8Tensor([], [0]),
      wz: int8Tensor([], [0]),
      w: int8Tensor([WIDTH, WIDTH], new Int8Array(WIDTH * WIDTH).fill(127)),
    },
  });
  const session = await openSession(model);
  try {
    const { y } = await session.run({
      x: floatTensor([1, WIDTH], new Float32Array(WIDTH).fill(255)),
    });
    return y?.data[0] === WIDTH * 127 * 255 ? 'exact' : 'saturating';
  } finally {
    await session.release();
  }
}

/** Where a measurement was taken: the architecture, and how it multiplies int8. */
export async function describeProcessor(): Promise<string> {
  const products = await measureInt8Products();
  return `${arch()}, ${products === 'exact' ? 'exact int8 products' : 'int8 products that saturate in pairs'}`;
}
