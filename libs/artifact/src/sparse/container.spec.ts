import fc from 'fast-check';
import { decodeArtifact, encodeArtifact } from '../artifact.js';
import { fromSparse, toSparse } from './container.js';
import { ELEMENT_BYTES, ELEMENT_TYPES, type ElementType, type Segment } from './segment.js';

/** A file of random bytes with tensors of every type in it, zeros among them, and where they lie. */
const fileWithTensors = fc
  .array(
    fc.record({
      gap: fc.uint8Array({ maxLength: 40 }),
      type: fc.constantFrom(...ELEMENT_TYPES),
      rows: fc.integer({ min: 1, max: 9 }),
      rowLength: fc.integer({ min: 1, max: 13 }),
      ragged: fc.nat(3),
      seed: fc.nat(),
      kind: fc.constantFrom('noise', 'zeros', 'narrow'),
    }),
    { maxLength: 8 },
  )
  .map((parts) => {
    const bytes: number[] = [];
    const segments: Segment[] = [];
    for (const { gap, type, rows, rowLength, ragged, seed, kind } of parts) {
      bytes.push(...gap);
      const count = rows * rowLength + Math.min(ragged, rowLength - 1);
      segments.push({ offset: bytes.length, type, count, rowLength });
      let state = seed;
      for (let i = 0; i < count * ELEMENT_BYTES[type]; i++) {
        state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
        const byte = state >>> 24;
        bytes.push(kind === 'noise' ? byte : kind === 'zeros' ? (byte & 7 ? 0 : byte) : byte >> 5);
      }
    }
    return { bytes: Uint8Array.from(bytes), segments };
  });

describe('the sparse container', () => {
  it('gives back the exact file, whatever its tensors hold', async () => {
    await fc.assert(
      fc.asyncProperty(fileWithTensors, async ({ bytes, segments }) => {
        const back = await fromSparse(await toSparse(bytes, segments), bytes.length);
        expect(Buffer.compare(back, bytes)).toBe(0);
      }),
      { seed: 7, numRuns: 60 },
    );
  });

  it.each(ELEMENT_TYPES)('keeps the extreme values of %s', async (type) => {
    const patterns: Record<number, number[]> = {
      1: [0, 1, 127, 128, 129, 255],
      2: [0, 1, 0x7fff, 0x8000, 0x8001, 0x7c00, 0x7e01, 0xffff],
      4: [0, 1, 0x7fffffff, 0x80000000, 0x80000001, 0x7f800000, 0xff800001, 0xffffffff],
    };
    const width = ELEMENT_BYTES[type];
    const values = patterns[width] ?? [];
    const view = new DataView(new ArrayBuffer(values.length * width));
    values.forEach((value, i) => {
      for (let b = 0; b < width; b++)
        view.setUint8(i * width + b, Math.floor(value / 256 ** b) % 256);
    });
    const file = new Uint8Array(view.buffer);
    const segment = { offset: 0, type, count: values.length, rowLength: 2 };
    const back = await fromSparse(await toSparse(file, [segment]), file.length);
    expect([...back]).toEqual([...file]);
  });

  it('stores a tensor that is a multiple of another as its factor', async () => {
    const count = 1000;
    const scales = Float32Array.from(
      { length: count },
      (_, i) => 0.01 + ((i * 7919) % count) / 997,
    );
    const factor = Math.fround(0.0235);
    const multiples = scales.map((scale) => factor * scale);
    const file = new Uint8Array(
      [scales, multiples].flatMap((part) => [...new Uint8Array(part.buffer)]),
    );
    const at = (offset: number): Segment => ({ offset, type: 'float32', count, rowLength: count });
    const one = await toSparse(file, [at(0)]);
    const both = await toSparse(file, [at(0), at(4 * count)]);
    expect(both.length).toBeLessThan(one.length * 0.6);
    expect(Buffer.compare(await fromSparse(both, file.length), file)).toBe(0);
  });

  it('spends about one bit less on each weight that pruning made zero than brotli', async () => {
    const { dense, pruned, segment } = weights(65_536);
    const [denseBrotli, prunedSparse] = [
      await encodeArtifact(dense, 'brotli'),
      await encodeArtifact(pruned, 'espalier-sparse', [segment]),
    ];
    expect(prunedSparse.bytes.length / denseBrotli.bytes.length).toBeLessThan(0.64);
  });

  it('is what `best` takes for weights of some size, pruned or not', async () => {
    const { dense, pruned, segment } = weights(65_536);
    for (const file of [dense, pruned]) {
      const { encoding, bytes } = await encodeArtifact(file, 'best', [segment]);
      expect(encoding).toBe('espalier-sparse');
      const back = await decodeArtifact(encoding, bytes, { length: file.length, maxBytes: 1e6 });
      expect(Buffer.compare(back, file)).toBe(0);
    }
  });

  it.each<[string, Segment[]]>([
    ['overlap', [segmentAt(0, 10), segmentAt(9, 2)]],
    ['leave the file', [segmentAt(90, 11)]],
    ['have a negative offset', [segmentAt(-1, 2)]],
    ['have rows longer than they are', [{ ...segmentAt(0, 4), rowLength: 5 }]],
  ])('refuses segments that %s', async (_, segments) => {
    await expect(toSparse(new Uint8Array(100), segments)).rejects.toMatchObject({
      code: 'ARTIFACT_SEGMENTS',
    });
  });
});

describe('a damaged sparse container', () => {
  it('fails with a code or gives the file, however its bytes were changed', async () => {
    const { pruned, segment } = weights(2000);
    const file = new Uint8Array(3000);
    file.set(pruned, 500);
    const whole = await toSparse(file, [{ ...segment, offset: 500 }]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        fc.oneof(fc.constant(whole.length), fc.nat(whole.length)),
        async (changes, keep) => {
          const damaged = whole.slice(0, keep);
          for (const [at, byte] of changes) if (at < keep) damaged[at] = byte;
          try {
            expect(Buffer.compare(await fromSparse(damaged, file.length), file)).toBe(0);
          } catch (error) {
            expect((error as { code?: string }).code).toMatch(/^ARTIFACT_/);
          }
        },
      ),
      { seed: 7, numRuns: 300 },
    );
  });

  it('fails with a code when the table inside it lies', async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 60 }), async (table) => {
        const { bytes } = await encodeArtifact(table, 'brotli');
        const forged = Uint8Array.from([
          ...[0x45, 0x53, 0x50, 0x31],
          ...[100, 0, 0, 0, 0],
          bytes.length,
          ...bytes,
        ]);
        await expect(fromSparse(forged, 100)).rejects.toMatchObject({
          code: expect.stringMatching(/^ARTIFACT_/) as string,
        });
      }),
      { seed: 7 },
    );
  });
});

function segmentAt(offset: number, count: number): Segment {
  const type: ElementType = 'int8';
  return { offset, type, count, rowLength: 1 };
}

/** Weights as int8 quantization leaves them, rows of 64 scaled to their largest; half made zero. */
function weights(count: number): { dense: Uint8Array; pruned: Uint8Array; segment: Segment } {
  let state = 1;
  const uniform = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
  const rowLength = 64;
  const dense = new Int8Array(count);
  for (let row = 0; row < count; row += rowLength) {
    const values = Array.from(
      { length: rowLength },
      () => Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform()),
    );
    const largest = Math.max(...values.map(Math.abs));
    dense.set(
      values.map((value) => Math.round((127 * value) / largest)).slice(0, count - row),
      row,
    );
  }
  const middle = [...dense].map(Math.abs).sort((a, b) => a - b)[count >> 1] ?? 0;
  const pruned = dense.map((value) => (Math.abs(value) < middle ? 0 : value));
  const segment: Segment = { offset: 0, type: 'int8', count, rowLength };
  return { dense: new Uint8Array(dense.buffer), pruned: new Uint8Array(pruned.buffer), segment };
}
