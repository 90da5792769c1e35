import fc from 'fast-check';
import { Bitmap } from './index.js';

const bitmaps = fc
  .integer({ min: 1, max: 700 })
  .chain((size) =>
    fc.tuple(fc.constant(size), fc.array(fc.nat(size - 1)), fc.array(fc.nat(size - 1))),
  );

describe('a bitmap', () => {
  it('holds exactly what was set and not cleared, and survives being stored', () => {
    fc.assert(
      fc.property(bitmaps, ([size, set, cleared]) => {
        const bitmap = new Bitmap(size);
        for (const index of set) bitmap.set(index);
        expect([...bitmap.missing()].length).toBe(size - new Set(set).size);
        for (const index of cleared) bitmap.clear(index);
        const expected = new Set(set.filter((index) => !cleared.includes(index)));
        const restored = Bitmap.parse(bitmap.serialise(), size);
        expect([...restored.held()]).toEqual([...expected].sort((a, b) => a - b));
        expect(restored.count).toBe(expected.size);
        expect([...bitmap.missing()].length).toBe(size - expected.size);
        expect(bitmap.full).toBe(expected.size === size);
      }),
      { seed: 7 },
    );
  });

  it('is never stored in more than a bit a chunk and two bytes, and in a few bytes when in order', () => {
    fc.assert(
      fc.property(bitmaps, ([size, set]) => {
        const bitmap = new Bitmap(size);
        for (const index of set) bitmap.set(index);
        expect(bitmap.serialise().byteLength).toBeLessThanOrEqual(Math.ceil(size / 8) + 1);
      }),
      { seed: 7 },
    );
    const inOrder = new Bitmap(65_536);
    for (let index = 0; index < 30_000; index += 1) inOrder.set(index);
    expect(inOrder.serialise().byteLength).toBeLessThan(10);
  });

  it('refuses whatever it did not write for that size, and never throws anything else', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 40 }),
        fc.integer({ min: 1, max: 200 }),
        (bytes, size) => {
          try {
            const parsed = Bitmap.parse(bytes, size);
            expect(parsed.count).toBeLessThanOrEqual(size);
          } catch (error) {
            expect(error).toMatchObject({ code: 'DELIVERY_BITMAP' });
          }
        },
      ),
      { seed: 7 },
    );
    expect(() => Bitmap.parse(new Bitmap(9).serialise(), 10)).toThrow(
      expect.objectContaining({ code: 'DELIVERY_BITMAP' }),
    );
  });
});
