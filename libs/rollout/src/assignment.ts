import { createHash } from 'node:crypto';

/** A device's place in a rollout's order: a hash, so that no device is always first. */
export function placeOf(rolloutId: string, deviceId: string): string {
  return createHash('sha256').update(`${rolloutId}\n${deviceId}`).digest('hex');
}

/**
 * Stage of each device, by its place in the hashed order: stage k holds the devices up to
 * ⌈percent_k · n⌉, so a small fleet still has a first device.
 * @param percents cumulative, rising, the last 100
 * @returns device id to stage index, in dispatch order
 */
export function assignStages(
  rolloutId: string,
  deviceIds: readonly string[],
  percents: readonly number[],
): ReadonlyMap<string, number> {
  const order = deviceIds
    .map((deviceId) => ({ deviceId, place: placeOf(rolloutId, deviceId) }))
    .sort((a, b) => (a.place < b.place ? -1 : 1));
  const ends = percents.map((percent) => Math.ceil((percent * order.length) / 100));
  return new Map(
    order.map(({ deviceId }, index) => [deviceId, ends.findIndex((end) => index < end)]),
  );
}
