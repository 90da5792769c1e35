import type { Budget } from '@espalier/protocol';
import fc from 'fast-check';
import { chooseVariant, planFleet } from '../src/index.js';
import { candidatesOf, profileWith } from './devices.js';

const CANDIDATES = candidatesOf([8, 16, 24, 32, 48, 64]);
const SEED = 20261125;

const between = (low: number, high: number) => fc.double({ min: low, max: high, noNaN: true });
const traits = fc.record({
  callNs: between(100, 5_000),
  macNs: between(0.005, 0.5),
  byteNs: between(0.01, 1),
  int8: between(0.5, 3),
  ramMib: between(64, 72),
});
const budget = fc.record(
  {
    latencyP95Ms: between(0.05, 20),
    peakRamBytes: fc.integer({ min: 2 ** 18, max: 2 ** 23 }),
    storageBytes: fc.integer({ min: 2 ** 14, max: 2 ** 23 }),
    transferBytes: fc.integer({ min: 2 ** 12, max: 2 ** 20 }),
    minAccuracy: between(0.5, 0.95),
  },
  { requiredKeys: [] },
);
const accuracyOf = (id: string | null): number =>
  CANDIDATES.find((candidate) => candidate.id === id)?.accuracy ?? 0;

describe('the choice for one device', () => {
  it('never breaks a hard limit, and says which limit excluded each of the others', () => {
    fc.assert(
      fc.property(traits, budget, (device, limits) => {
        const choice = chooseVariant(profileWith(device), limits as Budget, CANDIDATES);
        for (const { excluded, overruns } of choice.options)
          expect(excluded).toBe(overruns.length > 0);
        if (choice.predicted === null || choice.candidateId === null) {
          expect(choice.wouldFit?.changes.length).toBeGreaterThan(0);
          return;
        }
        const { high, ramBytes, storageBytes, transferBytes } = choice.predicted;
        expect(high).toBeLessThanOrEqual(limits.latencyP95Ms ?? Infinity);
        expect(ramBytes).toBeLessThanOrEqual(limits.peakRamBytes ?? Infinity);
        expect(ramBytes).toBeLessThanOrEqual((device.ramMib - 64) * 2 ** 20);
        expect(storageBytes).toBeLessThanOrEqual(limits.storageBytes ?? Infinity);
        expect(transferBytes).toBeLessThanOrEqual(limits.transferBytes ?? Infinity);
        expect(accuracyOf(choice.candidateId)).toBeGreaterThanOrEqual(limits.minAccuracy ?? 0);
        for (const { candidateId, excluded } of choice.options) {
          if (!excluded) {
            expect(accuracyOf(candidateId)).toBeLessThanOrEqual(accuracyOf(choice.candidateId));
          }
        }
      }),
      { seed: SEED, numRuns: 100 },
    );
  });

  it('never gives a less accurate variant for a looser budget', () => {
    fc.assert(
      fc.property(traits, budget, between(1, 4), (device, limits, factor) => {
        const profile = profileWith(device);
        const { minAccuracy, ...rest } = limits;
        const looser = {
          ...Object.fromEntries(
            Object.entries(rest).map(([limit, value]) => [
              limit,
              Math.ceil(value * factor * 1e6) / 1e6,
            ]),
          ),
          ...(minAccuracy === undefined ? {} : { minAccuracy: minAccuracy / factor }),
        };
        for (const limit of ['peakRamBytes', 'storageBytes', 'transferBytes'] as const) {
          const value = (looser as Budget)[limit];
          if (value !== undefined) (looser as Budget)[limit] = Math.ceil(value);
        }
        const tight = chooseVariant(profile, limits as Budget, CANDIDATES).candidateId;
        const loose = chooseVariant(profile, looser as Budget, CANDIDATES).candidateId;
        expect(accuracyOf(loose)).toBeGreaterThanOrEqual(accuracyOf(tight));
      }),
      { seed: SEED, numRuns: 100 },
    );
  });

  it('names the limits that would have to give way, and serves the device once they do', () => {
    fc.assert(
      fc.property(traits, budget, (device, limits) => {
        const profile = profileWith(device);
        const { wouldFit } = chooseVariant(profile, limits as Budget, CANDIDATES);
        if (!wouldFit || wouldFit.changes.some(({ setBy }) => setBy === 'device')) return;
        const lifted = Object.fromEntries(wouldFit.changes.map(({ limit, to }) => [limit, to]));
        expect(
          chooseVariant(profile, { ...limits, ...lifted } as Budget, CANDIDATES).candidateId,
        ).not.toBeNull();
      }),
      { seed: SEED, numRuns: 100 },
    );
  });

  it('says where the profile was disturbed, so that nobody trusts what is predicted from it', () => {
    const reasons = (disturbed: number) => {
      const device = { id: 'cam', profile: { ...profileWith(), disturbed }, budget: {} };
      const { reasons: alone } = chooseVariant(device.profile, {}, CANDIDATES);
      const [planned] = planFleet([device], CANDIDATES).assignments;
      return [...alone, ...planned!.reasons].filter((reason) => reason.includes('disturbed'));
    };
    expect(reasons(0.1)).toEqual([]);
    expect(reasons(0.41)).toEqual([
      expect.stringContaining('41 % of its kernels'),
      expect.stringContaining('41 % of its kernels'),
    ]);
  });

  it('lets a soft limit be broken, and says so', () => {
    const limits: Budget = { latencyP95Ms: 1e-6, soft: ['latencyP95Ms'] };
    const choice = chooseVariant(profileWith(), limits, CANDIDATES);
    expect(choice.candidateId).toBe('fp32-64');
    expect(choice.reasons.join()).toContain('over a soft limit');
  });
});

describe('the plan of a fleet', () => {
  it('keeps hard limits and the bound on variants, and states what the bound costs each device', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(traits, budget), { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 4 }),
        (fleet, maxVariants) => {
          const devices = fleet.map(([device, limits], at) => ({
            ...{ id: `d${at}`, profile: profileWith(device), budget: limits as Budget },
          }));
          const plan = planFleet(devices, CANDIDATES, { maxVariants });
          expect(plan.variants.length).toBeLessThanOrEqual(maxVariants);
          plan.assignments.forEach((one, at) => {
            const { profile, budget: own } = devices[at]!;
            const alone = chooseVariant(profile, own, CANDIDATES);
            expect(one.ownBestId).toBe(alone.candidateId);
            if (one.candidateId === null) return;
            expect(
              alone.options.find((option) => option.candidateId === one.candidateId),
            ).toMatchObject({ excluded: false });
            expect(one.loss).toBeCloseTo(
              100 * (accuracyOf(alone.candidateId) - accuracyOf(one.candidateId)),
            );
          });
        },
      ),
      { seed: SEED, numRuns: 30 },
    );
  });
});
