import { dispatch, revertDevices } from './devices.js';
import type { Draft } from './draft.js';
import { judgeFailedShare, thresholds, type FailedShareNumbers } from './gates/failed-share.js';
import type { DeviceStatus } from './table.js';

const AT_WORK: readonly DeviceStatus[] = ['sent', 'working'];
const OPEN: readonly DeviceStatus[] = ['waiting', 'sent', 'working', 'backoff'];
const UNSETTLED: readonly DeviceStatus[] = ['sent', 'working', 'backoff', 'reverting'];

const sum = (counts: Record<DeviceStatus, number>, of: readonly DeviceStatus[]): number =>
  of.reduce((total, status) => total + counts[status], 0);

/** Draws every conclusion that the state allows: halts, holds, passes, stages, the end. */
export function advance(draft: Draft): void {
  haltWhereOver(draft);
  while (draft.status === 'running' && passStage(draft)) haltWhereOver(draft);
  if (draft.status === 'halting' || draft.status === 'aborting') settle(draft);
}

/** Sends targets to devices of the open stages while slots are free. */
export function fillSlots(draft: Draft): void {
  if (draft.status !== 'running') return;
  let slots = draft.spec.maxInFlight - sum(draft.counts(null, null), AT_WORK);
  if (slots <= 0) return;
  for (const device of draft.all()) {
    if (slots <= 0) return;
    if (device.stage > draft.stage || draft.isHalted(device.variantId)) continue;
    const due =
      device.status === 'waiting' ||
      (device.status === 'backoff' && device.retryAt !== null && device.retryAt <= draft.now);
    if (!due) continue;
    dispatch(draft, device);
    slots -= 1;
  }
}

/** Starts the first stage, or the next; devices are sent at once. */
export function openNextStage(draft: Draft): void {
  const stage = draft.stage + 1;
  draft.openStage(stage);
  const devices = Object.values(draft.counts(stage, null)).reduce((a, b) => a + b, 0);
  draft.decide({ rule: 'open-stage', stage, devices });
  fillSlots(draft);
}

/** Opens the stage after the current one, or ends the rollout when it was the last. */
export function promote(draft: Draft): void {
  if (draft.stage + 1 < draft.spec.stages.length) {
    openNextStage(draft);
  } else if (draft.move('finish')) {
    end(draft, 'completed');
  }
}

/** Numbers of a stage without the variants that are halted already. */
function numbersOf(
  draft: Draft,
  stages: readonly number[],
  variantIds: readonly string[],
): FailedShareNumbers {
  const numbers = { active: 0, failed: 0, missing: 0, open: 0 };
  for (const stage of stages) {
    for (const variantId of variantIds) {
      const counts = draft.counts(stage, variantId);
      numbers.active += counts.active;
      numbers.failed += counts.failed;
      numbers.missing += counts.missing;
      numbers.open += sum(counts, OPEN);
    }
  }
  return { ...numbers, ...thresholds(draft.spec.gate) };
}

function liveVariants(draft: Draft): string[] {
  return Object.keys(draft.variants).filter((variantId) => !draft.isHalted(variantId));
}

function openedStages(draft: Draft): number[] {
  return Array.from({ length: draft.stage + 1 }, (_, stage) => stage);
}

function haltWhereOver(draft: Draft): void {
  if (!['running', 'paused', 'held'].includes(draft.status)) return;
  if (draft.spec.gate.scope === 'variant') {
    for (const variantId of liveVariants(draft)) haltVariantWhereOver(draft, variantId);
  }
  for (const stage of openedStages(draft)) {
    const numbers = numbersOf(draft, [stage], liveVariants(draft));
    if (judgeFailedShare(numbers) !== 'halt') continue;
    if (!draft.move('halt')) return;
    draft.decide({ rule: 'failed-share', stage, variantId: null, outcome: 'halt', numbers });
    revertDevices(draft, draft.all());
    return;
  }
}

/** Stops one variant and takes its devices back, while the others go on; the last one ends all. */
function haltVariantWhereOver(draft: Draft, variantId: string): void {
  const numbers = numbersOf(draft, openedStages(draft), [variantId]);
  if (judgeFailedShare(numbers) !== 'halt') return;
  draft.haltVariant(variantId);
  draft.decide({ rule: 'failed-share', stage: null, variantId, outcome: 'halt', numbers });
  const last = !draft.all().some((device) => !draft.isHalted(device.variantId));
  if (last) draft.move('halt');
  revertDevices(
    draft,
    draft.all().filter((device) => device.variantId === variantId),
  );
}

/** Whether the open stage was passed and another opened, so that there is more to conclude. */
function passStage(draft: Draft): boolean {
  const { stage, now } = draft;
  const numbers = numbersOf(draft, [stage], liveVariants(draft));
  const empty = numbers.active + numbers.failed + numbers.missing + numbers.open === 0;
  const verdict = empty ? 'pass' : judgeFailedShare(numbers);
  if (verdict === 'hold') {
    if (draft.move('hold')) {
      draft.decide({ rule: 'failed-share', stage, variantId: null, outcome: 'hold', numbers });
    }
    return false;
  }
  if (verdict !== 'pass') {
    if (draft.passedAt !== null) draft.markPassed(null);
    return false;
  }
  if (!empty) {
    if (draft.passedAt === null) {
      draft.markPassed(now);
      draft.decide({ rule: 'failed-share', stage, variantId: null, outcome: 'pass', numbers });
    }
    const { soakSeconds } = draft.spec;
    const watchedSeconds = (now - (draft.passedAt ?? now)) / 1000;
    if (watchedSeconds < soakSeconds) return false;
    draft.decide({
      rule: 'soak',
      stage,
      outcome: 'done',
      numbers: { soakSeconds, watchedSeconds },
    });
  }
  promote(draft);
  return draft.status === 'running';
}

function settle(draft: Draft): void {
  if (sum(draft.counts(null, null), UNSETTLED) > 0) return;
  const outcome = draft.status === 'halting' ? 'halted' : 'aborted';
  if (draft.move('settle')) end(draft, outcome);
}

function end(draft: Draft, outcome: 'completed' | 'halted' | 'aborted'): void {
  const numbers = Object.fromEntries(
    Object.entries(draft.counts(null, null)).filter(([, value]) => value > 0),
  );
  draft.decide({ rule: 'end', outcome, numbers });
}
