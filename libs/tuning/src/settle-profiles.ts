import { chainSteps, KERNELS, type KernelTime, type Profile } from '@espalier/protocol';

/** How many of the newest profiles are looked at. */
export const SETTLING_PROFILES = 5;

/** The probe of a machine in the same state differs by no more than this factor. */
const SAME_STATE = 1.25;

/** What disturbs a measurement only ever slows it down: the undisturbed ones are among the fastest. */
const UNDISTURBED_SHARE = 0.25;

/**
 * A profile that says what several of the same device have in common. A single one takes each time
 * within a few milliseconds, and whatever went on beside it then stays in it; the lower quartile over
 * several leaves that out, of the short and the long chain each by itself, for a disturbed short one
 * would make their difference too small. Only those count that found the same processor and runtime in
 * the same state as the newest, by the probe: a device that has become slower is judged by what it is now.
 * @param newest what all but the times is taken from @param older the device's profiles before it
 */
export function settleProfiles(newest: Profile, older: readonly Profile[]): Profile {
  const alike = [newest, ...older.filter((profile) => isAlike(profile, newest))];
  if (alike.length === 1) return newest;
  return {
    ...newest,
    callOverheadMs: grouped(
      alike.flatMap((profile) => profile.callOverheadMs),
      ({ threads }) => String(threads),
    ).flatMap(([first, ...rest]) =>
      first
        ? [
            {
              threads: first.threads,
              ms: quantile(
                [first, ...rest].map(({ ms }) => ms),
                UNDISTURBED_SHARE,
              ),
            },
          ]
        : [],
    ),
    kernels: grouped(
      alike.flatMap((profile) => profile.kernels),
      ({ id, precision, threads }) => `${id} ${precision} ${threads}`,
    ).flatMap(settledTime),
    disturbed: Math.min(...alike.map(({ disturbed = 0 }) => disturbed)),
  };
}

/**
 * For each kernel the steps that its long chain has more than the short one, and which of several times
 * is taken: memory is shared with whatever else runs, always, and no probe tells when it was not.
 */
const CHAINS: ReadonlyMap<string, { readonly steps: number; readonly share: number }> = new Map(
  KERNELS.map((kernel) => {
    const [few, many] = chainSteps(kernel);
    return [
      kernel.id,
      { steps: many - few, share: kernel.weights === 'far' ? 0.5 : UNDISTURBED_SHARE },
    ];
  }),
);

function settledTime(times: readonly KernelTime[]): KernelTime[] {
  const [first] = times;
  if (!first) return [];
  const chains = times.flatMap(({ chainsMs }) => (chainsMs ? [chainsMs] : []));
  const known = times.filter(({ medianMs }) => medianMs > 0);
  const chain = CHAINS.get(first.id);
  const runs = known.reduce((sum, one) => sum + one.runs, 0) || first.runs;
  const spread = quantile(
    known.map((one) => one.spread),
    0.5,
  );
  if (!chain || chains.length === 0) {
    const medianMs = quantile(
      known.map((one) => one.medianMs),
      chain?.share ?? UNDISTURBED_SHARE,
    );
    return [{ ...first, medianMs, spread, runs }];
  }
  const short = quantile(
    chains.map(([ms]) => ms),
    chain.share,
  );
  const long = quantile(
    chains.map(([, ms]) => ms),
    chain.share,
  );
  const medianMs = Math.max(0, long - short) / chain.steps;
  return [{ ...first, medianMs, chainsMs: [short, long], spread, runs }];
}

function isAlike(profile: Profile, newest: Profile): boolean {
  const { cpu, runtime } = newest;
  if (!profile.probeMs || !newest.probeMs) return false;
  const ratio = profile.probeMs / newest.probeMs;
  return (
    profile.schemaVersion === newest.schemaVersion &&
    profile.runtime.version === runtime.version &&
    profile.runtime.convBlock === runtime.convBlock &&
    profile.cpu.model === cpu.model &&
    profile.cpu.cores === cpu.cores &&
    profile.emulatedSlowdown === newest.emulatedSlowdown &&
    ratio <= SAME_STATE &&
    ratio >= 1 / SAME_STATE
  );
}

function grouped<T>(values: readonly T[], keyOf: (value: T) => string): T[][] {
  const groups = new Map<string, T[]>();
  for (const value of values) {
    const key = keyOf(value);
    const group = groups.get(key);
    if (group) group.push(value);
    else groups.set(key, [value]);
  }
  return [...groups.values()];
}

/** Between the two values nearest to a share of the way from the least to the most; 0 of none. */
function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = share * (sorted.length - 1);
  const low = sorted[Math.floor(at)] ?? 0;
  const high = sorted[Math.ceil(at)] ?? low;
  return low + (high - low) * (at - Math.floor(at));
}
