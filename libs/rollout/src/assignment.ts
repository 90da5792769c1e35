import { createHash } from 'node:crypto';
import { parseSelector, selects } from '@espalier/protocol';
import type { RolloutSpec, StageSpec } from './spec.js';

/** A device as stages see it. */
export interface Candidate {
  readonly deviceId: string;
  readonly variantId: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** A device's place in a rollout's order: a hash, so that no device is always first. */
export function placeOf(rolloutId: string, deviceId: string): string {
  return createHash('sha256').update(`${rolloutId}\n${deviceId}`).digest('hex');
}

/** The stage that comes after those of the specification: the controls, where they are updated. */
export const controlStage = (spec: RolloutSpec): number => spec.stages.length;

/**
 * Stage of each device. In the order each variant is spread evenly, its devices by their hash, so
 * that every stage holds every variant in proportion. The last ones of each variant are held back as
 * its controls. A percent is rounded up, so a small fleet still has a first device.
 * @returns device id to stage index, in dispatch order
 */
export function assignStages(
  rolloutId: string,
  devices: readonly Candidate[],
  spec: RolloutSpec,
): ReadonlyMap<string, number> {
  const { updates, controls } = spread(rolloutId, devices, spec.control?.percent ?? 0);
  const stages = new Map<string, number>();
  spec.stages.forEach((stage, index) => {
    const selector = stage.selector === undefined ? null : parseSelector(stage.selector);
    const limit = limitOf(stage, updates.length);
    for (const { deviceId, labels } of updates) {
      if (stages.has(deviceId)) continue;
      if (selector ? selects(selector, labels) : stages.size < limit) stages.set(deviceId, index);
    }
  });
  const order = updates.map(({ deviceId }) => [deviceId, stages.get(deviceId) ?? 0] as const);
  return new Map([
    ...order.sort(([, a], [, b]) => a - b),
    ...controls.map(({ deviceId }) => [deviceId, controlStage(spec)] as const),
  ]);
}

/**
 * The stage that a late device enters: that of its labels, else the first whose percent its hash
 * lies under and that has room, else the last. `upTo` counts devices up to a stage, without it.
 */
export function stageOfJoiner(
  rolloutId: string,
  device: Candidate,
  spec: RolloutSpec,
  devices: number,
  upTo: (stage: number) => number,
): number {
  const place = Number.parseInt(placeOf(rolloutId, device.deviceId).slice(0, 8), 16) / 2 ** 32;
  const found = spec.stages.findIndex((stage, index) => {
    if (stage.selector !== undefined) return selects(parseSelector(stage.selector), device.labels);
    // One more here is one more in all stages after it too.
    const full = spec.stages.some(
      (later, at) => at >= index && upTo(at) >= limitOf(later, devices + 1),
    );
    if (full) return false;
    return stage.percent === undefined || place * 100 < stage.percent;
  });
  return found === -1 ? spec.stages.length - 1 : found;
}

/** Devices that are done once a stage is; infinite for one by labels. */
export function limitOf({ percent, count }: StageSpec, devices: number): number {
  if (percent !== undefined) return Math.ceil((percent * devices) / 100);
  return count ?? Number.POSITIVE_INFINITY;
}

function spread(
  rolloutId: string,
  devices: readonly Candidate[],
  controlPercent: number,
): { updates: Candidate[]; controls: Candidate[] } {
  const byVariant = new Map<string, { device: Candidate; place: string }[]>();
  for (const device of devices) {
    const group = byVariant.get(device.variantId) ?? [];
    group.push({ device, place: placeOf(rolloutId, device.deviceId) });
    byVariant.set(device.variantId, group);
  }
  const updates: { device: Candidate; place: string; at: number }[] = [];
  const controls: { device: Candidate; place: string }[] = [];
  for (const group of byVariant.values()) {
    group.sort((a, b) => (a.place < b.place ? -1 : 1));
    const wanted = Math.ceil((controlPercent * group.length) / 100);
    const updated = group.length - Math.min(wanted, group.length - 1);
    group.forEach(({ device, place }, rank) => {
      if (rank < updated) updates.push({ device, place, at: (rank + 0.5) / updated });
      else controls.push({ device, place });
    });
  }
  updates.sort((a, b) => a.at - b.at || (a.place < b.place ? -1 : 1));
  controls.sort((a, b) => (a.place < b.place ? -1 : 1));
  return {
    updates: updates.map(({ device }) => device),
    controls: controls.map(({ device }) => device),
  };
}
