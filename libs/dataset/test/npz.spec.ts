import { zipSync } from 'fflate';
import fc from 'fast-check';
import { DatasetError, readNpz, writeNpz, type NpyArray } from '../src/index.js';

function codeOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof DatasetError) return error.code;
    throw error;
  }
  return 'none';
}

function npy(header: string, body: Uint8Array): Uint8Array {
  const text = `${header}\n`;
  return Uint8Array.from([
    ...[0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, text.length & 255, text.length >> 8],
    ...new TextEncoder().encode(text),
    ...body,
  ]);
}

const dims = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });
const array: fc.Arbitrary<NpyArray> = fc
  .tuple(dims, fc.constantFrom('uint8' as const, 'float32' as const, 'int64' as const))
  .chain(([shape, dtype]) => {
    const length = shape.reduce((a, b) => a * b, 1);
    const bytes = fc.uint8Array({ minLength: length * 8, maxLength: length * 8 });
    return bytes.map((raw) => ({
      dims: shape,
      dtype,
      data:
        dtype === 'uint8'
          ? raw.slice(0, length)
          : dtype === 'float32'
            ? Float32Array.from({ length }, (_, i) => raw[i]! / 7)
            : new BigInt64Array(raw.slice().buffer),
    }));
  });

describe('npz', () => {
  it('gives back what was written', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), array, { maxKeys: 4 }),
        (arrays) => {
          const read = readNpz(writeNpz(arrays));
          expect(Object.fromEntries(read)).toEqual({ ...arrays });
        },
      ),
      { seed: 7, numRuns: 60 },
    );
  });

  it('writes the same bytes for the same arrays', () => {
    const x: NpyArray = { dims: [2, 2], dtype: 'uint8', data: Uint8Array.of(1, 2, 3, 4) };
    expect(writeNpz({ x })).toEqual(writeNpz({ x }));
  });

  it('turns Fortran order into C order', () => {
    const fortran = npy(
      "{'descr': '|u1', 'fortran_order': True, 'shape': (2, 3), }",
      Uint8Array.of(1, 4, 2, 5, 3, 6),
    );
    const x = readNpz(zipSync({ 'x.npy': fortran })).get('x');
    expect(x).toEqual({ dims: [2, 3], dtype: 'uint8', data: Uint8Array.of(1, 2, 3, 4, 5, 6) });
  });

  it.each([
    ['big-endian numbers', '>f4'],
    ['objects', '|O'],
    ['text', '<U3'],
  ])('refuses %s', (_, descr) => {
    const file = npy(
      `{'descr': '${descr}', 'fortran_order': False, 'shape': (1,), }`,
      new Uint8Array(4),
    );
    expect(codeOf(() => readNpz(zipSync({ 'x.npy': file })))).toBe('DATASET_UNSUPPORTED');
  });

  it('refuses an array whose data do not fill its shape', () => {
    const file = npy(
      "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000, 1000000), }",
      new Uint8Array(16),
    );
    expect(codeOf(() => readNpz(zipSync({ 'x.npy': file })))).toBe('DATASET_CORRUPT');
  });

  describe('bounds', () => {
    const bomb = zipSync({ 'x.npy': new Uint8Array(4 * 2 ** 20) }, { level: 9 });
    const sizeAt = new DataView(bomb.buffer, bomb.byteOffset).getUint32(bomb.length - 6, true) + 24;

    it('refuses more bytes than allowed as declared', () => {
      expect(codeOf(() => readNpz(bomb, { maxBytes: 2 ** 20 }))).toBe('DATASET_TOO_LARGE');
    });

    it('refuses more bytes than declared when inflated', () => {
      const lying = bomb.slice();
      new DataView(lying.buffer).setUint32(sizeAt, 1000, true);
      expect(codeOf(() => readNpz(lying, { maxBytes: 2 ** 20 }))).toBe('DATASET_CORRUPT');
    });

    it('does not allocate for a size that the compressed bytes cannot reach', () => {
      const lying = bomb.slice();
      new DataView(lying.buffer).setUint32(sizeAt, 2 ** 31 - 1, true);
      expect(codeOf(() => readNpz(lying))).toBe('DATASET_CORRUPT');
    });

    it('refuses too many arrays', () => {
      const many = zipSync(
        Object.fromEntries([0, 1, 2].map((i) => [`a${i}.npy`, new Uint8Array(0)])),
      );
      expect(codeOf(() => readNpz(many, { maxArrays: 2 }))).toBe('DATASET_TOO_LARGE');
    });
  });

  it('refuses values that were damaged, by their checksum', () => {
    const stored = zipSync(
      {
        'x.npy': npy(
          "{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }",
          Uint8Array.of(11, 22),
        ),
      },
      { level: 0 },
    );
    expect([...(readNpz(stored).get('x')?.data ?? [])]).toEqual([11, 22]);
    const damaged = stored.slice();
    damaged[damaged.findIndex((byte, at) => byte === 11 && damaged[at + 1] === 22)] = 12;
    expect(codeOf(() => readNpz(damaged))).toBe('DATASET_CORRUPT');
  });

  it('answers damage with a coded error', () => {
    const sound = writeNpz({
      x: { dims: [4, 3], dtype: 'float32', data: Float32Array.from({ length: 12 }, (_, i) => i) },
      y: { dims: [4], dtype: 'int64', data: BigInt64Array.of(0n, 1n, 2n, 3n) },
    });
    const damage = fc.oneof(
      fc.nat(sound.length - 1).map((length) => sound.slice(0, length)),
      fc
        .array(fc.tuple(fc.nat(sound.length - 1), fc.integer({ min: 0, max: 255 })), {
          minLength: 1,
        })
        .map((changes) => {
          const copy = sound.slice();
          for (const [at, byte] of changes) copy[at] = byte;
          return copy;
        }),
    );
    fc.assert(
      fc.property(damage, (bytes) => {
        expect(codeOf(() => readNpz(bytes, { maxBytes: 2 ** 20 }))).toMatch(/^(none|DATASET_)/);
      }),
      { seed: 7, numRuns: 400 },
    );
  });
});
