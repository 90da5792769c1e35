import { deflateRawSync } from 'node:zlib';
import fc from 'fast-check';
import { packTensor, unpackTensor } from './tensor-packing.js';

const bits = (values: Float32Array): Uint32Array =>
  new Uint32Array(values.buffer, values.byteOffset, values.length);

describe('a packed tensor', () => {
  it('gives back every bit of every value', async () => {
    const anyBits = fc.uint32Array({ minLength: 1, maxLength: 300 });
    await fc.assert(
      fc.asyncProperty(anyBits, async (given) => {
        const values = new Float32Array(given.slice().buffer);
        const packed = await packTensor(values);
        expect(packed.bytes.byteLength).toBeLessThanOrEqual(values.byteLength);
        expect(bits(unpackTensor(packed, values.length))).toEqual(given);
      }),
      { seed: 1 },
    );
  });

  it('of an image that was scaled takes less than half of its bytes', async () => {
    const image = Float32Array.from(
      { length: 3 * 64 * 64 },
      (_, at) => (Math.round(127 + 60 * Math.sin(at / 17) + ((at * 7919) % 13)) / 255 - 0.5) / 0.25,
    );
    const { encoding, bytes } = await packTensor(image);
    expect(encoding).toBe('shuffle-deflate');
    expect(bytes.byteLength).toBeLessThan(image.byteLength / 2);
  });

  it('of another length is refused, however far it would expand', () => {
    const bomb = deflateRawSync(Buffer.alloc(100_000_000));
    for (const bytes of [bomb, deflateRawSync(Buffer.alloc(8)), Buffer.from('no deflate')]) {
      expect(() => unpackTensor({ encoding: 'shuffle-deflate', bytes }, 4)).toThrow(
        expect.objectContaining({ code: 'PROTOCOL_INVALID' }),
      );
    }
    expect(() => unpackTensor({ encoding: 'raw', bytes: Buffer.alloc(17) }, 4)).toThrow(
      expect.objectContaining({ code: 'PROTOCOL_INVALID' }),
    );
  });
});
