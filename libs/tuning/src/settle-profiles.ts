import type { KernelTime, Profile } from '@espalier/protocol';

/** How many of the newest profiles are looked at. */
export const SETTLING_PROFILES = 5;

/** The probe of a machine in the same state differs by no more than this factor. */
const SAME_STATE = 1.12;

/**
 * A profile that says what several of the same device have in common. A single one takes each time
 * within a few milliseconds, and whatever went on beside it then stays in it; the median over several
 * leaves that out. Only those count that found the same processor and runtime in the same state as the
 * newest, by the probe: a device that has become slower is judged by what it is now.
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
      first ? [{ threads: first.threads, ms: medianOf([first, ...rest].map(({ ms }) => ms)) }] : [],
    ),
    kernels: grouped(
      alike.flatMap((profile) => profile.kernels),
      ({ id, precision, threads }) => `${id} ${precision} ${threads}`,
    ).flatMap(settledTime),
  };
}

function settledTime(times: readonly KernelTime[]): KernelTime[] {
  const known = times.filter(({ medianMs }) => medianMs > 0);
  const [first] = known.length > 0 ? known : times;
  if (!first) return [];
  return [
    {
      ...first,
      medianMs: medianOf(known.map(({ medianMs }) => medianMs)),
      spread: medianOf(known.map(({ spread }) => spread)),
      runs: known.reduce((sum, { runs }) => sum + runs, 0) || first.runs,
    },
  ];
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

/** The middle value, or the mean of the two in the middle; 0 of none. */
function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = sorted.length >> 1;
  const high = sorted[at] ?? 0;
  return sorted.length % 2 === 1 ? high : (high + (sorted[at - 1] ?? high)) / 2;
}
