import fc from 'fast-check';
import {
  ChangeComparison,
  errorShare,
  estimateLevel,
  logEvidenceAbove,
  logEvidenceBelow,
  logEvidenceOfShareAbove,
  logEvidenceOfShareBelow,
} from '../src/index.js';

/** A small generator of its own, so that nothing of ours is imported. */
function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const normalOf = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

describe('evidence of a share', () => {
  it('has a mean of one at the bound, whatever the number of trials', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0.05, max: 0.95, noNaN: true }),
        (trials, bound) => {
          let mean = 0;
          let chance = (1 - bound) ** trials;
          for (let hits = 0; hits <= trials; hits += 1) {
            mean += chance * Math.exp(logEvidenceOfShareAbove(hits, trials, bound));
            chance *= ((trials - hits) / (hits + 1)) * (bound / (1 - bound));
          }
          expect(mean).toBeCloseTo(1, 6);
        },
      ),
      { seed: 1, numRuns: 200 },
    );
  });

  it('passes 1/α by chance less often than α, looked at after each trial', () => {
    const random = randomOf(3);
    let passed = 0;
    for (let run = 0; run < 400; run += 1) {
      let hits = 0;
      for (let trials = 1; trials <= 100; trials += 1) {
        if (random() < 0.5) hits += 1;
        if (logEvidenceOfShareAbove(hits, trials, 0.5) >= Math.log(20)) {
          passed += 1;
          break;
        }
      }
    }
    expect(passed / 400).toBeLessThanOrEqual(0.05);
  });

  it('grows without end when the share is over the bound, on the side that it is on', () => {
    expect(logEvidenceOfShareAbove(30, 30, 0.5)).toBeGreaterThan(Math.log(1e6));
    expect(logEvidenceOfShareBelow(0, 30, 0.5)).toBeGreaterThan(Math.log(1e6));
    expect(logEvidenceOfShareBelow(30, 30, 0.5)).toBeLessThan(0);
    expect(logEvidenceOfShareAbove(0, 0, 0.5)).toBe(0);
    expect(Number.isFinite(logEvidenceOfShareAbove(5_000, 5_000, 0.5))).toBe(true);
  });
});

describe('evidence of an effect', () => {
  it('passes 1/α by chance less often than α along a whole walk', () => {
    const random = randomOf(5);
    let passed = 0;
    for (let run = 0; run < 400; run += 1) {
      let sum = 0;
      for (let n = 1; n <= 300; n += 1) {
        sum += normalOf(random);
        if (logEvidenceAbove(sum / n, 1 / n, 0, 0.3) >= Math.log(20)) {
          passed += 1;
          break;
        }
      }
    }
    expect(passed / 400).toBeLessThanOrEqual(0.05);
  });

  it('is the same on either side, and finite far out', () => {
    fc.assert(
      fc.property(
        fc.double({ min: -50, max: 50, noNaN: true }),
        fc.double({ min: 1e-6, max: 10, noNaN: true }),
        (estimate, variance) => {
          const above = logEvidenceAbove(estimate, variance, 0.2, 0.1);
          expect(Number.isFinite(above)).toBe(true);
          expect(logEvidenceBelow(-estimate, variance, -0.2, 0.1)).toBe(above);
        },
      ),
      { seed: 2 },
    );
  });
});

describe('a comparison of changes', () => {
  const report = (labels: number, rate: number) => ({ labels, correct: labels * rate });

  it('takes out what both arms lose, and what a device always had', () => {
    const comparison = new ChangeComparison(0);
    const good = comparison.addDevice('treated', report(100, 0.9));
    const poor = comparison.addDevice('control', report(100, 0.6));
    for (let block = 0; block < 10; block += 1) {
      const drift = -0.02 * block;
      comparison.add(good, block, report(50, 0.9 + drift - 0.1));
      comparison.add(poor, block, report(50, 0.6 + drift));
    }
    expect(comparison.estimate()!.effect).toBeCloseTo(-0.1, 10);
  });

  it('says nothing before both arms were seen in the same block', () => {
    const comparison = new ChangeComparison(0.01);
    const treated = comparison.addDevice('treated', report(100, 0.9));
    const control = comparison.addDevice('control', report(100, 0.9));
    comparison.add(treated, 0, report(50, 0.5));
    expect(comparison.estimate()).toBeNull();
    comparison.add(control, 1, report(50, 0.9));
    expect(comparison.estimate()).toBeNull();
    comparison.add(control, 0, report(50, 0.9));
    expect(comparison.estimate()).not.toBeNull();
  });

  it('gives the variance that the effect has over many repetitions', () => {
    const random = randomOf(11);
    const effects: number[] = [];
    const variances: number[] = [];
    const draw = (labels: number, rate: number) => {
      let correct = 0;
      for (let at = 0; at < labels; at += 1) if (random() < rate) correct += 1;
      return { labels, correct };
    };
    for (let run = 0; run < 400; run += 1) {
      const comparison = new ChangeComparison(0);
      for (let device = 0; device < 12; device += 1) {
        const rate = 0.6 + 0.35 * random();
        const shift = 0.06 * normalOf(random);
        const index = comparison.addDevice(device < 5 ? 'treated' : 'control', draw(80, rate));
        for (let block = 0; block < 4; block += 1) {
          comparison.add(index, block, draw(10 + 10 * (device % 3), rate + shift - 0.05));
        }
      }
      const { effect, variance } = comparison.estimate()!;
      effects.push(effect);
      variances.push(variance);
    }
    const mean = (values: number[]) => values.reduce((a, b) => a + b, 0) / values.length;
    const centre = mean(effects);
    const truth = mean(effects.map((effect) => (effect - centre) ** 2));
    expect(centre).toBeCloseTo(0, 1);
    // Never too small; the twice added standard error makes it somewhat too large.
    expect(mean(variances) / truth).toBeGreaterThan(0.95);
    expect(mean(variances) / truth).toBeLessThan(2.2);
  });

  it('refuses a device that has nothing to be compared with', () => {
    const comparison = new ChangeComparison(0);
    expect(() => comparison.addDevice('treated', { labels: 0, correct: 0 })).toThrow(RangeError);
  });
});

describe('a level', () => {
  it('counts the labels of one device as far fewer than as many of many devices', () => {
    const one = estimateLevel([{ labels: 1_000, correct: 900 }], 0.1)!;
    const many = estimateLevel(Array(100).fill({ labels: 10, correct: 9 }), 0.1)!;
    expect(one.level).toBeCloseTo(many.level, 10);
    expect(one.variance).toBeGreaterThan(20 * many.variance);
    expect(estimateLevel([{ labels: 0, correct: 0 }], 0.1)).toBeNull();
  });
});

describe('an error budget', () => {
  it('is never overspent, and spends most where few devices are at risk', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 20 }),
        fc.integer({ min: 1, max: 20 }),
        fc.dictionary(fc.string({ minLength: 1 }), fc.double({ min: 0.1, max: 5, noNaN: true }), {
          minKeys: 1,
          maxKeys: 5,
        }),
        (variants, stages, metrics) => {
          const budget = { total: 0.05, variants, stages, metrics };
          let spent = 0;
          for (const metric of Object.keys(metrics)) {
            for (let stage = 0; stage < stages; stage += 1) {
              spent += variants * errorShare(budget, stage, metric);
            }
          }
          expect(spent).toBeCloseTo(0.05, 10);
        },
      ),
      { seed: 4 },
    );
    const three = { total: 0.05, variants: 1, stages: 3, metrics: { a: 1 } };
    expect(errorShare(three, 0, 'a')).toBe(2 * errorShare(three, 1, 'a'));
  });
});
