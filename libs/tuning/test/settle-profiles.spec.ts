import type { Profile } from '@espalier/protocol';
import fc from 'fast-check';
import { settleProfiles } from '../src/index.js';
import { profileWith } from './devices.js';

const measured = (slower = 1, probeMs: number | null = 0.03): Profile => {
  const profile = profileWith();
  return {
    ...profile,
    probeMs,
    callOverheadMs: profile.callOverheadMs.map((call) => ({ ...call, ms: slower * call.ms })),
    kernels: profile.kernels.map((time) => ({ ...time, medianMs: slower * time.medianMs })),
  };
};
const first = (profile: Profile): number => profile.kernels[0]!.medianMs;

describe('a profile settled from those before it', () => {
  it('takes each time from the middle, so that one disturbed measurement does not stay', () => {
    const settled = settleProfiles(measured(3), [measured(), measured(1.02)]);
    expect(first(settled)).toBeCloseTo(1.02 * first(measured()), 10);
    expect(settled.callOverheadMs[0]!.ms).toBeCloseTo(1.02 * 0.01, 10);
  });

  it('forgets what was measured in another state, so that a slower device is judged as it is now', () => {
    const slower = measured(2, 0.06);
    expect(settleProfiles(slower, [measured(), measured()])).toEqual(slower);
  });

  it('forgets what another processor, runtime or emulation took', () => {
    const newest = measured(2);
    const others: Profile[] = [
      { ...measured(), cpu: { ...measured().cpu, model: 'another' } },
      { ...measured(), runtime: { ...measured().runtime, version: '1.0.0' } },
      { ...measured(), emulatedSlowdown: 4 },
      measured(1, null),
    ];
    expect(settleProfiles(newest, others)).toEqual(newest);
  });

  it('keeps what a quicker measurement left out', () => {
    const quick = { ...measured(), kernels: measured().kernels.slice(0, 5) };
    expect(settleProfiles(quick, [measured()]).kernels).toHaveLength(measured().kernels.length);
  });

  it('lies between the least and the most of each time, whatever the order', () => {
    const factor = fc.double({ min: 0.5, max: 2, noNaN: true });
    fc.assert(
      fc.property(fc.array(factor, { minLength: 1, maxLength: 5 }), (factors) => {
        const [newest, ...older] = factors.map((one) => measured(one));
        const ratio = first(settleProfiles(newest!, older)) / first(measured());
        expect(ratio).toBeGreaterThanOrEqual(Math.min(...factors) * (1 - 1e-9));
        expect(ratio).toBeLessThanOrEqual(Math.max(...factors) * (1 + 1e-9));
        expect(
          first(settleProfiles(newest!, [...older].reverse())) / first(measured()),
        ).toBeCloseTo(ratio, 9);
      }),
      { seed: 7, numRuns: 100 },
    );
  });
});
