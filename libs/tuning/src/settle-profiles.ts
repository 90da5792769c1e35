import {
  BEST_SHARE,
  chainSteps,
  KERNELS,
  type KernelTime,
  type Profile,
  STEADY,
} from '@espalier/protocol';

/** How many of the newest profiles are looked at. */
export const SETTLING_PROFILES = 9;

/** The probe of a machine in the same state differs by no more than this factor. */
const SAME_STATE = 1.25;

/** Where no probe tells, undisturbed times are among the fastest. */
const UNDISTURBED_SHARE = 0.25;

/** For each kernel the steps that its long chain has more than the short one, and whether both begin cold. */
const CHAINS: ReadonlyMap<string, { readonly steps: number; readonly isCold: boolean }> = new Map(
  KERNELS.map((kernel) => {
    const [few, many] = chainSteps(kernel);
    return [kernel.id, { steps: many - few, isCold: kernel.weights === 'far' }];
  }),
);

/**
 * A profile that says what several of the same device have in common. A single one takes each time
 * within a few milliseconds, and whatever went on beside it then stays in it. Of the same kernel in
 * several, what was measured while the probe found the machine in its best state counts, of the short
 * and of the long chain each by itself: their median; where there is none, the fastest. Chains that begin
 * with empty caches differ more from one time to the next than what is to be measured, and less between
 * the two of one time: of these the median of the differences. Only
 * profiles count that found the same processor and runtime in the same state as the newest, by the
 * probe: a device that has become slower is judged by what it is now.
 * @param newest what all but the times is taken from @param older the device's profiles before it
 * @returns it; `disturbed` is the share of kernels never measured in the best state
 */
export function settleProfiles(newest: Profile, older: readonly Profile[]): Profile {
  const alike = [newest, ...older.filter((profile) => isAlike(profile, newest))];
  if (alike.length === 1) return newest;
  const times = alike.flatMap((profile) => profile.kernels);
  const bestMs = bestStates(times);
  const settled = grouped(
    times,
    ({ id, precision, threads }) => `${id} ${precision} ${threads}`,
  ).map((of) => settledTime(of, bestMs));
  const isJudged = settled.some(({ isSteady }) => isSteady !== null);
  return {
    ...newest,
    callOverheadMs: grouped(
      alike.flatMap((profile) => profile.callOverheadMs),
      ({ threads }) => String(threads),
    ).map(([first, ...rest]) => ({
      threads: first.threads,
      ms: quantile(
        [first, ...rest].map(({ ms }) => ms),
        UNDISTURBED_SHARE,
      ),
    })),
    kernels: settled.map(({ time }) => time),
    disturbed: isJudged
      ? settled.filter(({ isSteady }) => isSteady === false).length / settled.length
      : Math.min(...alike.map(({ disturbed = 0 }) => disturbed)),
  };
}

/** The probe's answer in the best state seen, at each count of threads. */
function bestStates(times: readonly KernelTime[]): ReadonlyMap<number, number> {
  return new Map(
    grouped(times, ({ threads }) => String(threads)).flatMap((of) => {
      const states = of.flatMap(({ statesMs }) => statesMs ?? []);
      return states.length > 0 ? [[of[0].threads, quantile(states, BEST_SHARE)]] : [];
    }),
  );
}

interface SettledTime {
  readonly time: KernelTime;
  /** Whether both its chains were measured in the best state; null: no probe tells. */
  readonly isSteady: boolean | null;
}

function settledTime(times: Several<KernelTime>, bestMs: ReadonlyMap<number, number>): SettledTime {
  const [first] = times;
  const known = times.filter(({ medianMs }) => medianMs > 0);
  const { steps, isCold } = CHAINS.get(first.id) ?? { steps: 0, isCold: false };
  if (isCold) return settledDifference(times, bestMs);
  const quantileOf = (of: (time: KernelTime) => number, at: number) => quantile(known.map(of), at);
  const kept = {
    ...first,
    medianMs: quantileOf(({ medianMs }) => medianMs, UNDISTURBED_SHARE),
    spread: quantileOf(({ spread }) => spread, 0.5),
    runs: known.reduce((sum, { runs }) => sum + runs, 0) || first.runs,
  };
  const [short, long] = ([0, 1] as const).map((at) =>
    settledChain(chainsOf(times, at), bestMs.get(first.threads)),
  );
  if (steps === 0 || !short || !long) return { time: kept, isSteady: null };
  return {
    time: {
      ...kept,
      medianMs: Math.max(0, long.ms - short.ms) / steps,
      chainsMs: [short.ms, long.ms],
      ...(short.stateMs !== null &&
        long.stateMs !== null && { statesMs: [short.stateMs, long.stateMs] }),
    },
    isSteady: short.isSteady === null ? null : short.isSteady && long.isSteady === true,
  };
}

function settledDifference(
  times: Several<KernelTime>,
  bestMs: ReadonlyMap<number, number>,
): SettledTime {
  const known = times.filter(({ medianMs }) => medianMs > 0);
  const probed = known.filter(({ statesMs }) => statesMs);
  const steady = probed.filter(
    ({ threads, statesMs }) =>
      Math.max(...(statesMs ?? [])) <= STEADY * (bestMs.get(threads) ?? Infinity),
  );
  const counted = steady.length > 0 ? steady : known;
  const medianMs = quantile(
    counted.map((one) => one.medianMs),
    0.5,
  );
  return {
    time: { ...times[0], medianMs },
    isSteady: probed.length > 0 ? steady.length > 0 : null,
  };
}

interface Chain {
  readonly ms: number;
  /** The probe around it; null: it was not asked. */
  readonly stateMs: number | null;
}

function chainsOf(times: readonly KernelTime[], at: 0 | 1): Chain[] {
  return times.flatMap(({ chainsMs, statesMs }) =>
    chainsMs ? [{ ms: chainsMs[at], stateMs: statesMs?.[at] ?? null }] : [],
  );
}

function settledChain(
  chains: readonly Chain[],
  bestMs = 0,
): (Chain & { readonly isSteady: boolean | null }) | null {
  if (chains.length === 0) return null;
  const probed = chains
    .flatMap(({ ms, stateMs }) => (stateMs === null ? [] : [{ ms, stateMs }]))
    .sort((a, b) => a.stateMs - b.stateMs);
  const msOf = (some: readonly Chain[], at: number) =>
    quantile(
      some.map(({ ms }) => ms),
      at,
    );
  const [nearest] = probed;
  if (!nearest) return { ms: msOf(chains, UNDISTURBED_SHARE), stateMs: null, isSteady: null };
  const steady = probed.filter(({ stateMs }) => stateMs <= STEADY * bestMs);
  const { stateMs } = nearest;
  // What disturbs a measurement only ever slows it down.
  if (steady.length === 0) return { ms: msOf(probed, 0), stateMs, isSteady: false };
  return { ms: msOf(steady, 0.5), stateMs, isSteady: true };
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

type Several<T> = [T, ...T[]];

function grouped<T>(values: readonly T[], keyOf: (value: T) => string): Several<T>[] {
  const groups = new Map<string, Several<T>>();
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
