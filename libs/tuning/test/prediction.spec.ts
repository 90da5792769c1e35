import type { Profile } from '@espalier/protocol';
import {
  describeCandidate,
  judgeLatency,
  latencyFactor,
  layeredBudget,
  predictFromCosts,
  predictRam,
  TuningError,
} from '../src/index.js';
import { network, profileWith } from './devices.js';

const costs = describeCandidate(network(32), 'fp32');
const on = (profile: Profile, threads = 1) => predictFromCosts(costs, profile, { threads });

describe('a prediction from the kernel table', () => {
  it('grows as the device is slower, call and all', () => {
    const profile = profileWith();
    const slower = {
      ...profile,
      callOverheadMs: profile.callOverheadMs.map(({ threads, ms }) => ({ threads, ms: 3 * ms })),
      kernels: profile.kernels.map((time) => ({ ...time, medianMs: 3 * time.medianMs })),
    };
    expect(on(slower).ms / on(profile).ms).toBeCloseTo(3, 2);
  });

  it('holds what it predicts within its interval, and gives the parts that make it up', () => {
    const { ms, low, high, perNode } = on(profileWith());
    expect(low).toBeLessThan(ms);
    expect(high).toBeGreaterThan(ms);
    const parts = perNode.reduce((sum, part) => sum + part.ms, 0);
    expect(ms).toBeGreaterThan(parts);
    expect(ms - parts).toBeLessThan(0.011);
  });

  it('is moved little by kernels that something disturbed', () => {
    const profile = profileWith();
    const disturbed = {
      ...profile,
      kernels: profile.kernels.map((time, at) =>
        at % 9 === 4 ? { ...time, medianMs: 3 * time.medianMs, spread: 1.5 } : time,
      ),
    };
    expect(on(disturbed).ms / on(profile).ms).toBeGreaterThan(0.9);
    expect(on(disturbed).ms / on(profile).ms).toBeLessThan(1.15);
  });

  it('takes threads as an overhead and a share of the rest', () => {
    const split = on(profileWith({ threaded: { callNs: 1_000, share: 0.5 } }), 2).ms;
    const alone = on(profileWith()).ms;
    expect(split / alone).toBeGreaterThan(0.5);
    expect(split / alone).toBeLessThan(0.65);
    expect(on(profileWith(), 2).ms).toBeCloseTo(alone, 3);
  });

  it('refuses a profile without kernel times', () => {
    expect(() => on({ ...profileWith(), kernels: [] })).toThrow(TuningError);
  });

  it('counts the weights three times while convolutions are put into blocks', () => {
    const { incrementBytes } = predictRam(network(256), 'fp32', profileWith());
    const { weightBytes } = describeCandidate(network(256), 'fp32');
    expect(incrementBytes).toBeGreaterThan(3 * weightBytes);
    const plain = { ...profileWith(), runtime: { name: 'r', version: '1', convBlock: 1 } };
    expect(predictRam(network(256), 'fp32', plain).incrementBytes).toBeLessThan(incrementBytes);
  });
});

describe('measured latency against its prediction', () => {
  const predicted = { ms: 10, low: 8, high: 12 };
  const windows = (count: number, p50: number) =>
    Array.from({ length: count }, () => ({ inferences: 40, p50 }));

  it('says nothing of too few windows or inferences', () => {
    expect(judgeLatency(windows(4, 20), predicted).verdict).toBe('too-few');
    expect(judgeLatency(windows(5, 20), predicted)).toEqual({ verdict: 'outside', measuredMs: 20 });
    const thin = windows(9, 20).map((window) => ({ ...window, inferences: 5 }));
    expect(judgeLatency(thin, predicted).verdict).toBe('too-few');
  });

  it('goes by the median, so that a disturbed window does not decide', () => {
    expect(judgeLatency([...windows(4, 10), ...windows(3, 99)], predicted).verdict).toBe('within');
  });

  it('corrects a device by itself first, by its class only where several agree', () => {
    expect(latencyFactor(2, [1, 1, 1])).toBe(2);
    expect(latencyFactor(null, [1.5, 1.5])).toBe(1);
    expect(latencyFactor(null, [1.2, 1.5, 9])).toBe(1.5);
  });
});

describe('a layered budget', () => {
  it('takes each limit, hard or soft, from the nearest layer that names it', () => {
    expect(
      layeredBudget([
        { latencyP95Ms: 50, transferBytes: 9, soft: ['latencyP95Ms'] },
        { latencyP95Ms: 20 },
        { minAccuracy: 0.8, soft: ['minAccuracy'] },
      ]),
    ).toEqual({ latencyP95Ms: 20, transferBytes: 9, minAccuracy: 0.8, soft: ['minAccuracy'] });
    expect(layeredBudget([])).toEqual({});
  });
});
