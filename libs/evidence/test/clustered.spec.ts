import { clusteredMean, estimateLevel, meanInterval, shareInterval } from '../src/index.js';

describe('intervals of what devices report', () => {
  it('of a share are those of Wilson where all items are independent', () => {
    // 81 of 263: 0.2553 to 0.3662 (Newcombe 1998, method 3).
    const [low, high] = shareInterval(81 / 263, 0, 263);
    expect(low).toBeCloseTo(0.2553, 4);
    expect(high).toBeCloseTo(0.3662, 4);
    expect(shareInterval(1, 0, 10)[1]).toBeCloseTo(1, 9);
    expect(shareInterval(1, 0, 10)[0]).toBeLessThan(0.75);
  });

  it('cover the truth where devices differ, of a share and of a mean', () => {
    const random = randomOf(5);
    const normal = (): number =>
      Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
    const runs = 200;
    let covered = { share: 0, mean: 0 };
    for (let run = 0; run < runs; run += 1) {
      const devices = Array.from({ length: 30 }, () => {
        const own = Math.min(1, Math.max(0, 0.9 + 0.08 * normal()));
        const shift = 0.5 * normal();
        const count = 20 + Math.floor(random() * 60);
        let correct = 0;
        let [sum, squares] = [0, 0];
        for (let item = 0; item < count; item += 1) {
          if (random() < own) correct += 1;
          const value = 5 + shift + normal();
          sum += value;
          squares += value * value;
        }
        return { labels: count, correct, count, sum, squares };
      });
      const level = estimateLevel(devices, 0)!;
      const [low, high] = shareInterval(level.level, level.variance, level.labels);
      // The mean of a normal of deviation 0.08 around 0.9 that is cut at 1.
      if (low <= TRUE_SHARE && TRUE_SHARE <= high)
        covered = { ...covered, share: covered.share + 1 };
      const [least, most] = meanInterval(clusteredMean(devices, 0)!);
      if (least <= 5 && 5 <= most) covered = { ...covered, mean: covered.mean + 1 };
    }
    expect(covered.share / runs).toBeGreaterThan(0.9);
    expect(covered.mean / runs).toBeGreaterThan(0.9);
  });

  it("are wider by what one device's items have in common, and by nothing when there is none", () => {
    const one = [{ count: 100, sum: 500, squares: 2600 }];
    const width = (correlation: number) => {
      const [low, high] = meanInterval(clusteredMean(one, correlation)!);
      return high - low;
    };
    expect(width(0.1) / width(0)).toBeCloseTo(Math.sqrt(1 + 0.1 * 99), 6);
    expect(clusteredMean([], 0.1)).toBeNull();
  });
});

function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Φ(z)·0.9 + (1 − Φ(z))·1 − 0.08·φ(z) with z = (1 − 0.9) / 0.08. */
const TRUE_SHARE = 0.8943502 * 0.9 + (1 - 0.8943502) * 1 - 0.08 * 0.1826491;
