import { chainSteps, KERNELS, type Profile } from '@espalier/protocol';
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
/** The same with both chains of each kernel, each slower by a factor of its own. */
const chained = (slowerShort = 1, slowerLong = 1): Profile => {
  const profile = measured();
  const kernels = profile.kernels.map((time) => {
    const [few, many] = chainSteps(KERNELS.find(({ id }) => id === time.id)!);
    const endsMs = 0.01;
    const short = slowerShort * (endsMs + few * time.medianMs);
    const long = slowerLong * (endsMs + many * time.medianMs);
    const medianMs = Math.max(0, long - short) / (many - few);
    return { ...time, medianMs, chainsMs: [short, long] satisfies [number, number] };
  });
  return { ...profile, kernels };
};
/** The same with what the probe took around the chains, by the slowdown of each; the first kernel alone or all. */
const probed = (slowerShort = 1, slowerLong = 1, which: 'first' | 'all' = 'all'): Profile => {
  const [disturbed, undisturbed] = [chained(slowerShort, slowerLong), chained()];
  const states = (short: number, long: number): [number, number] => [0.03 * short, 0.03 * long];
  const kernels = disturbed.kernels.map((time, at) =>
    which === 'first' && at > 0
      ? { ...undisturbed.kernels[at]!, statesMs: states(1, 1) }
      : { ...time, statesMs: states(slowerShort, slowerLong) },
  );
  return { ...disturbed, kernels };
};
const first = (profile: Profile): number => profile.kernels[0]!.medianMs;

describe('a profile settled from those before it', () => {
  it('takes each time from among the fastest, so that disturbed measurements do not stay', () => {
    const settled = settleProfiles(measured(3), [
      measured(),
      measured(1.02),
      measured(2),
      measured(4),
    ]);
    expect(first(settled)).toBeCloseTo(1.02 * first(measured()), 10);
    expect(settled.callOverheadMs[0]!.ms).toBeCloseTo(1.02 * 0.01, 10);
  });

  it('is not deceived by a short chain that was disturbed, which makes the difference too small', () => {
    const undisturbed = chained();
    const settled = settleProfiles(chained(3, 1), [chained(1, 3), undisturbed, undisturbed]);
    expect(first(settled)).toBeCloseTo(first(undisturbed), 10);
    expect(settled.kernels[0]!.chainsMs).toEqual(undisturbed.kernels[0]!.chainsMs);
  });

  it('counts what the probe says was measured in the best state, were it one of many', () => {
    const settled = settleProfiles(probed(1.5, 1.6), [
      probed(2, 2),
      probed(1.3, 1.9),
      probed(1.01, 1.01),
      probed(1.4, 1.4),
    ]);
    expect(first(settled)).toBeCloseTo(1.01 * first(chained()), 10);
    expect(settled.disturbed).toBe(0);
  });

  it('takes the short chain from one and the long chain from another', () => {
    const settled = settleProfiles(probed(1, 2), [probed(3, 1), probed(2, 2)]);
    expect(first(settled)).toBeCloseTo(first(chained()), 10);
    // Of layers read from memory both are taken from one, and none had both undisturbed.
    const far = new Set(KERNELS.filter(({ weights }) => weights === 'far').map(({ id }) => id));
    const cold = settled.kernels.filter(({ id }) => far.has(id)).length;
    expect(settled.disturbed).toBeCloseTo(cold / settled.kernels.length, 10);
  });

  it('takes the fastest of a kernel that was disturbed every time, and counts it', () => {
    const settled = settleProfiles(probed(1.5, 1.5, 'first'), [
      probed(1.3, 1.3, 'first'),
      probed(2, 2, 'first'),
    ]);
    expect(first(settled)).toBeCloseTo(1.3 * first(chained()), 10);
    expect(settled.disturbed).toBeCloseTo(1 / settled.kernels.length, 10);
  });

  it('takes what comes from memory from the middle, for memory is shared at any time', () => {
    const far = KERNELS.find(({ weights }) => weights === 'far')!.id;
    const timeOf = (profile: Profile) => profile.kernels.find(({ id }) => id === far)!.medianMs;
    const settled = settleProfiles(measured(1.3), [
      measured(),
      measured(1.1),
      measured(1.2),
      measured(9),
    ]);
    expect(timeOf(settled) / timeOf(measured())).toBeCloseTo(1.2, 9);
  });

  it('takes both chains of a time together where they begin with empty caches', () => {
    const far = KERNELS.find(({ weights }) => weights === 'far')!;
    const cold = (beginMs: number, states: [number, number]): Profile => {
      const profile = probed();
      const kernels = profile.kernels.map((time) =>
        time.id === far.id
          ? { ...time, medianMs: 0.2, chainsMs: [beginMs, beginMs + 0.2], statesMs: states }
          : time,
      ) as Profile['kernels'];
      return { ...profile, kernels };
    };
    const settled = settleProfiles(cold(0.3, [0.03, 0.06]), [
      cold(0.5, [0.06, 0.03]),
      cold(0.4, [0.03, 0.03]),
    ]);
    expect(settled.kernels.find(({ id }) => id === far.id)!.medianMs).toBe(0.2);
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

  it('is as disturbed as the least disturbed of them', () => {
    const older = [0.4, 0.05].map((disturbed) => ({ ...measured(), disturbed }));
    expect(settleProfiles({ ...measured(), disturbed: 0.3 }, older).disturbed).toBe(0.05);
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
