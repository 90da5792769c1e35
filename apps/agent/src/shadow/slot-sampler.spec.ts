import fc from 'fast-check';
import { seededRandom } from '@espalier/dataset';
import { SlotSampler } from './slot-sampler.js';

interface Item {
  readonly atMs: number;
  readonly label: number;
}

/** What a sampler takes of a stream; the slot that is not over yet is left out. */
function taken(items: readonly Item[], share: number, slotMs: number, seed: number): Item[] {
  const sampler = new SlotSampler(seededRandom(seed));
  const samples: Item[] = [];
  let kept: Item | null = null;
  for (const item of items) {
    const { closes, keeps } = sampler.draw(item.atMs, share, slotMs);
    if (closes && kept) samples.push(kept);
    if (closes) kept = null;
    if (keeps) kept = item;
  }
  return samples;
}

const regular = (count: number, everyMs: number, label: (at: number) => number): Item[] =>
  Array.from({ length: count }, (_, at) => ({ atMs: at * everyMs, label: label(at) }));

/** Standard errors between how often something came and its share of so many. */
const deviation = (hits: number, trials: number, share: number): number =>
  Math.abs(hits - trials * share) / Math.sqrt(trials * share * (1 - share));

describe('a sampler of inputs', () => {
  it('takes one item at most of each slot, and one of each that had any when all are drawn', () => {
    const gaps = fc.array(fc.double({ min: 0, max: 5000, noNaN: true }), { maxLength: 200 });
    fc.assert(
      fc.property(
        gaps,
        fc.double({ min: 1e-6, max: 1, noNaN: true }),
        fc.nat(),
        (steps, share, seed) => {
          let atMs = 0;
          const items = steps.map((step, label) => ({ atMs: (atMs += step), label }));
          const slotOf = ({ atMs: at }: Item) => Math.floor(at / 1000);
          const slots = taken(items, share, 1000, seed).map(slotOf);
          expect(new Set(slots).size).toBe(slots.length);
          const begun = new Set(items.map(slotOf));
          begun.delete(slotOf(items.at(-1) ?? { atMs: 0, label: 0 }));
          expect(taken(items, 1, 1000, seed).map(slotOf)).toEqual([...begun]);
        },
      ),
      { seed: 1 },
    );
  });

  it('takes every place within a slot equally often, not the first more than the last', () => {
    const samples = taken(
      regular(30 * 8_000, 100, (at) => at % 30),
      0.5,
      3000,
      7,
    );
    for (let place = 0; place < 30; place += 1) {
      const hits = samples.filter(({ label }) => label === place).length;
      expect(deviation(hits, samples.length, 1 / 30)).toBeLessThan(5);
    }
  });

  it('takes a class as often as it is there, though it comes in runs that are longer than slots', () => {
    // Runs of 20 of one class; a class is three times as frequent; slots of eight items.
    const random = seededRandom(3);
    const runs = Array.from({ length: 8_000 }, () => Math.max(0, random.integer(12) - 2));
    const items = regular(runs.length * 20, 125, (at) => runs[Math.floor(at / 20)] ?? 0);
    const samples = taken(items, 0.3, 1000, 11);
    for (let label = 0; label < 10; label += 1) {
      const share = items.filter((item) => item.label === label).length / items.length;
      const hits = samples.filter((item) => item.label === label).length;
      // Two or three samples of a run are one observation.
      expect(deviation(hits / 3, samples.length / 3, share)).toBeLessThan(5);
    }
    expect(samples.length).toBeGreaterThan(18_000);
  });

  it('takes the share that was asked for where slots do not limit it', () => {
    const samples = taken(
      regular(100_000, 100, () => 0),
      0.02,
      100,
      5,
    );
    expect(deviation(samples.length, 100_000, 0.02)).toBeLessThan(5);
  });

  it('takes the same items again with the same seed', () => {
    const items = regular(5000, 90, (at) => at);
    expect(taken(items, 0.2, 1000, 42)).toEqual(taken(items, 0.2, 1000, 42));
    expect(taken(items, 0.2, 1000, 42)).not.toEqual(taken(items, 0.2, 1000, 43));
  });
});
