import { dispatch, nextVariant, replanDevices, revertDevices } from './devices.js';
import type { Draft } from './draft.js';
import type { DecisionBody } from './events.js';
import { judgeVariant, metricsOf, type Judged } from './gates/evidence.js';
import { judgeFailedShare, thresholds, type FailedShareNumbers } from './gates/failed-share.js';
import { stageCount, type DeviceRecord } from './state.js';
import type { DeviceStatus, RolloutStatus } from './table.js';

const AT_WORK: readonly DeviceStatus[] = ['sent', 'working'];
const OPEN: readonly DeviceStatus[] = ['waiting', 'sent', 'working', 'backoff'];
const UNSETTLED: readonly DeviceStatus[] = ['sent', 'working', 'backoff', 'reverting'];
/** Statuses in which gates are watched. */
export const WATCHED: readonly RolloutStatus[] = ['running', 'awaiting', 'paused', 'held'];

const sum = (counts: Record<DeviceStatus, number>, of: readonly DeviceStatus[]): number =>
  of.reduce((total, status) => total + counts[status], 0);

/** Draws every conclusion that the state allows: halts, holds, passes, stages, the end. */
export function advance(draft: Draft): void {
  watch(draft);
  while (draft.status === 'running' && passStage(draft)) watch(draft);
  if (draft.status === 'halting' || draft.status === 'aborting') settle(draft);
}

/** Sends targets to devices of the open stages while slots are free. */
export function fillSlots(draft: Draft): void {
  if (draft.status !== 'running') return;
  let slots = freeSlots(draft);
  if (slots <= 0) return;
  for (const device of draft.all()) {
    if (slots <= 0) return;
    if (device.stage > draft.stage || draft.isHalted(device.variantId)) continue;
    const due =
      device.status === 'waiting' ||
      (device.status === 'backoff' && device.retryAt !== null && device.retryAt <= draft.now);
    if (!due) continue;
    if (!draft.spendAllowance()) return;
    dispatch(draft, device);
    slots -= 1;
  }
}

/** How many devices may begin beside those at work. */
export const freeSlots = (draft: Draft): number =>
  draft.spec.maxInFlight - sum(draft.counts(null, null), AT_WORK);

/** Starts the first stage, or the next; devices are sent at once. */
export function openNextStage(draft: Draft): void {
  const stage = draft.stage + 1;
  draft.openStage(stage);
  if (stage === draft.spec.stages.length) includeControls(draft);
  const devices = Object.values(draft.counts(stage, null)).reduce((a, b) => a + b, 0);
  draft.decide({ rule: 'open-stage', stage, devices });
  fillSlots(draft);
}

/** Opens the stage after the current one, or ends the rollout when it was the last. */
export function promote(draft: Draft): void {
  if (draft.stage + 1 < stageCount(draft)) {
    openNextStage(draft);
  } else if (draft.move('finish')) {
    end(draft, 'completed');
  }
}

function includeControls(draft: Draft): void {
  for (const { deviceId } of draft.all()) draft.moveDevice(deviceId, 'include');
}

/** Numbers of some stages and variants. */
export function numbersOf(
  draft: Draft,
  stages: readonly number[],
  variantIds: readonly string[],
): FailedShareNumbers {
  const numbers = { active: 0, failed: 0, missing: 0, open: 0 };
  for (const stage of stages) {
    for (const variantId of variantIds) {
      const counts = draft.counts(stage, variantId);
      numbers.active += counts.active;
      numbers.failed += counts.failed + counts.quarantined;
      numbers.missing += counts.missing;
      numbers.open += sum(counts, OPEN);
    }
  }
  return { ...numbers, ...thresholds(draft.spec.gate) };
}

/** Variants that were not stopped. */
export function liveVariants(draft: Draft): string[] {
  return Object.keys(draft.variants).filter((variantId) => !draft.isHalted(variantId));
}

/** Stages that were begun, the present one among them. */
export function openedStages(draft: Draft): number[] {
  return Array.from({ length: draft.stage + 1 }, (_, stage) => stage);
}

/** Stops what is shown to do harm, and gives its devices another variant where there is one. */
function watch(draft: Draft): void {
  if (!WATCHED.includes(draft.status)) return;
  haltOnFailures(draft);
  haltOnEvidence(draft);
  if (WATCHED.includes(draft.status) && replanDevices(draft)) fillSlots(draft);
}

function haltOnFailures(draft: Draft): void {
  if (draft.spec.gate.scope === 'variant') {
    for (const variantId of liveVariants(draft)) {
      const numbers = numbersOf(draft, openedStages(draft), [variantId]);
      if (judgeFailedShare(numbers) !== 'halt') continue;
      halt(draft, variantId, {
        rule: 'failed-share',
        stage: null,
        variantId,
        outcome: 'halt',
        numbers,
      });
    }
  }
  for (const stage of openedStages(draft)) {
    const numbers = numbersOf(draft, [stage], liveVariants(draft));
    if (judgeFailedShare(numbers) !== 'halt') continue;
    haltAll(draft, { rule: 'failed-share', stage, variantId: null, outcome: 'halt', numbers });
    return;
  }
}

function haltOnEvidence(draft: Draft): void {
  if (!draft.evidence) return;
  for (const { variantId, judged } of judge(draft)) {
    const harm = judged.find(({ verdict }) => verdict === 'halt');
    if (!harm || !WATCHED.includes(draft.status)) continue;
    const decision = decisionOn(draft, variantId, harm, 'halt');
    if (draft.spec.gate.scope === 'variant') halt(draft, variantId, decision);
    else haltAll(draft, decision);
  }
}

/** Every live variant that runs somewhere, judged by the evidence. The controls' stage has none. */
export function judge(draft: Draft): { variantId: string; judged: Judged[] }[] {
  const { stage, evidence, spec, variants } = draft;
  if (stage < 0 || stage >= spec.stages.length || metricsOf(spec).length === 0) return [];
  return liveVariants(draft)
    .filter((variantId) => numbersOf(draft, openedStages(draft), [variantId]).active > 0)
    .map((variantId) => ({
      variantId,
      judged: judgeVariant({ spec, variants }, stage, variantId, evidence?.[variantId]),
    }));
}

const decisionOn = (
  { stage }: Draft,
  variantId: string,
  { rule, numbers }: Judged,
  outcome: 'halt' | 'hold' | 'pass',
): DecisionBody => ({ rule, stage, variantId, outcome, numbers }) as DecisionBody;

function haltAll(draft: Draft, decision: DecisionBody): void {
  if (!draft.move('halt')) return;
  draft.decide(decision);
  revertDevices(draft, draft.all());
}

/** Stops one variant and takes its devices back, while the others go on; the last one ends all. */
function halt(draft: Draft, variantId: string, decision: DecisionBody): void {
  draft.haltVariant(variantId);
  draft.decide(decision);
  replanDevices(draft);
  revertDevices(
    draft,
    draft.all().filter((device) => device.variantId === variantId),
  );
  replanDevices(draft);
  if (
    !draft.all().some((device) => !draft.isHalted(device.variantId) || mayReturn(draft, device))
  ) {
    draft.move('halt');
  }
}

/** Whether a device of a stopped variant goes back now, and gets another one after that. */
const mayReturn = (draft: Draft, device: DeviceRecord): boolean =>
  draft.spec.replan &&
  device.status === 'reverting' &&
  draft.isHalted(device.variantId) &&
  nextVariant(draft, device) !== null;

/** Whether devices are on their way back that hold the stage up, or in the last stage the end. */
function isUnsettled(draft: Draft): boolean {
  const reverting = draft.counts(null, null).reverting > 0;
  const last = draft.stage + 1 >= stageCount(draft);
  return reverting && (last || draft.all().some((device) => mayReturn(draft, device)));
}

/** Whether the open stage was passed and another opened, so that there is more to conclude. */
function passStage(draft: Draft): boolean {
  const { stage, now } = draft;
  if (isUnsettled(draft)) return false;
  // Late devices, and those with another variant than planned, may be at work in earlier stages.
  const { open } = numbersOf(draft, openedStages(draft), liveVariants(draft));
  const numbers = { ...numbersOf(draft, [stage], liveVariants(draft)), open };
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
    const soakSeconds = draft.spec.stages[stage]?.soakSeconds ?? draft.spec.soakSeconds;
    const watchedSeconds = (now - (draft.passedAt ?? now)) / 1000;
    if (watchedSeconds < soakSeconds) return false;
    if (!passEvidence(draft, watchedSeconds - soakSeconds)) return false;
    draft.decide({
      rule: 'soak',
      stage,
      outcome: 'done',
      numbers: { soakSeconds, watchedSeconds },
    });
  }
  if (draft.spec.stages[stage + 1]?.approval) {
    if (draft.move('ask')) draft.decide({ rule: 'approval', stage: stage + 1, outcome: 'asked' });
    return false;
  }
  promote(draft);
  return draft.status === 'running';
}

/**
 * Whether the evidence lets the stage pass. It is judged where it was brought; what is missing or
 * says neither yes nor no is waited for until the deadline, and then the rollout holds.
 */
function passEvidence(draft: Draft, waitedSeconds: number): boolean {
  if (metricsOf(draft.spec).length === 0 || draft.stage >= draft.spec.stages.length) return true;
  if (!draft.evidence) return false;
  const verdicts = judge(draft).flatMap(({ variantId, judged }) =>
    judged.map((one) => ({ variantId, one })),
  );
  const open = verdicts.filter(({ one }) => one.verdict !== 'pass');
  if (open.length > 0) {
    if (waitedSeconds >= draft.spec.gate.waitSeconds && draft.move('hold')) {
      for (const { variantId, one } of open) {
        draft.decide(decisionOn(draft, variantId, one, 'hold'));
      }
    }
    return false;
  }
  for (const { variantId, one } of verdicts) {
    draft.decide(decisionOn(draft, variantId, one, 'pass'));
  }
  return true;
}

function settle(draft: Draft): void {
  if (sum(draft.counts(null, null), UNSETTLED) > 0) return;
  const outcome = draft.status === 'halting' ? 'halted' : 'aborted';
  if (draft.move('settle')) end(draft, outcome);
}

function end(draft: Draft, outcome: 'completed' | 'halted' | 'aborted'): void {
  for (const { deviceId, status } of draft.all()) {
    if (status === 'control') draft.moveDevice(deviceId, 'cancel');
  }
  const numbers = Object.fromEntries(
    Object.entries(draft.counts(null, null)).filter(([, value]) => value > 0),
  );
  draft.decide({ rule: 'end', outcome, numbers });
}
