/** @jest-environment ./libs/onnx/test/ort-environment.mjs */
import fc from 'fast-check';
import {
  buildModel,
  decodeTensor,
  encodeTensor,
  floatTensor,
  floatToHalf,
  halfToFloat,
  int64Tensor,
  openSession,
  scalar,
  scalarValue,
  tensorOf,
  toFloat32,
  type Session,
} from '../src/index.js';

describe('half floats', () => {
  let session: Session;
  beforeAll(async () => {
    session = await openSession(
      buildModel({
        inputs: [{ name: 'x', shape: ['N'] }],
        nodes: [{ op: 'Cast', inputs: ['x'], outputs: ['y'], attributes: { to: { int: 10 } } }],
        outputs: [{ name: 'y', dtype: 'float16' }],
      }),
    );
  });
  afterAll(() => session.release());

  it('are rounded as ONNX Runtime rounds them', async () => {
    const edges = [
      0,
      -0,
      65504,
      65519.99,
      65520,
      1e9,
      2 ** -24,
      2 ** -25,
      3 * 2 ** -26,
      2 ** -14,
      1 + 2 ** -11,
    ];
    const values = fc.array(fc.float({ noNaN: true }), { minLength: 1, maxLength: 50 });
    await fc.assert(
      fc.asyncProperty(values, async (list) => {
        const x = Float32Array.from([...edges, ...list]);
        const { y } = await session.run({ x: floatTensor([x.length], x) });
        expect(Array.from(x, floatToHalf)).toEqual(Array.from(y!.data, Number));
      }),
      { seed: 7 },
    );
  });

  it('widen and narrow without loss', () => {
    for (let bits = 0; bits < 65536; bits++) {
      const value = halfToFloat(bits);
      if (!Number.isNaN(value) && floatToHalf(value) !== bits) expect([bits, value]).toBeNull();
    }
    expect(toFloat32(tensorOf('float16', [2], Uint16Array.of(0x3c00, 0xc000)))).toEqual(
      Float32Array.of(1, -2),
    );
  });
});

describe('tensors', () => {
  it('come back from their encoded form', () => {
    for (const tensor of [
      floatTensor([2, 1], [1.5, -2]),
      int64Tensor([3], [1, -2, 3]),
      scalar(4),
      tensorOf('bool', [2], Uint8Array.of(0, 1)),
      tensorOf('float32', [0, 3], new Float32Array(0)),
    ]) {
      expect(decodeTensor(encodeTensor('t', tensor))).toEqual(tensor);
    }
  });

  it('are copied when encoded', () => {
    const data = Float32Array.of(1, 2);
    const proto = encodeTensor('t', floatTensor([2], data));
    data.fill(9);
    expect(decodeTensor(proto).data).toEqual(Float32Array.of(1, 2));
  });

  it('refuse data that do not fill their shape', () => {
    expect(() => floatTensor([2, 2], [1, 2, 3])).toThrow(/needs 4 elements, got 3/);
    expect(() => scalarValue(int64Tensor([2], [1, 2]))).toThrow(/single number/);
  });
});
