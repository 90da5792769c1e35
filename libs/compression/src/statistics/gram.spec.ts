import { seededRandom } from '@espalier/dataset';
import fc from 'fast-check';
import { GramAccumulator, GramEngine } from './gram.js';

describe('a Gram summed in blocks of rows', () => {
  let engine: GramEngine;
  beforeAll(async () => (engine = await GramEngine.open(1)));
  afterAll(() => engine.release());

  it('is that of all rows at once, and takes no more memory for more of them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 12 }),
        fc.integer({ min: 1, max: 10_000 }),
        fc.integer(),
        async (width, rows, seed) => {
          const random = seededRandom(seed);
          const gram = new GramAccumulator(engine, width);
          const whole = new Float64Array(width * width);
          const held = new Set<ArrayBufferLike>();
          for (let r = 0; r < rows; r++) {
            const { into, at } = gram.next();
            held.add(into.buffer);
            for (let i = 0; i < width; i++) into[at + i] = random.normal();
            for (let i = 0; i < width; i++) {
              for (let j = 0; j < width; j++)
                whole[i * width + j]! += into[at + i]! * into[at + j]!;
            }
            if (gram.commit()) await gram.flush();
          }
          await gram.flush();
          const off = whole.map((value, at) => Math.abs(value - gram.sum[at]!));
          expect(Math.max(...off)).toBeLessThan(1e-4 * Math.max(rows, 1));
          expect({ rows: gram.rows, buffers: held.size }).toEqual({ rows, buffers: 1 });
        },
      ),
      { numRuns: 40, seed: 20_264 },
    );
  });
});
