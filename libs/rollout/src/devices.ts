import type { Failure } from '@espalier/protocol';
import type { Draft } from './draft.js';
import type { ReportEvent } from './events.js';
import type { DeviceRecord } from './state.js';

const DEADLINE: Failure = {
  code: 'ROLLOUT_DEADLINE',
  message: 'The device began, and gave no result before its deadline.',
};

/** Failures in one rollout, and within an hour whatever the rollout, that quarantine a device. */
const QUARANTINE_FAULTS = 3;
const QUARANTINE_HOURLY = 5;
const HOUR_MS = 3_600_000;

/** Gives a device its target: a slot is taken, and its deadline runs from the first try. */
export function dispatch(draft: Draft, device: DeviceRecord): void {
  const attempt = device.attempt + 1;
  const deadlineAt =
    device.status === 'backoff' && device.deadlineAt !== null
      ? device.deadlineAt
      : draft.now + draft.spec.deviceDeadlineSeconds * 1000;
  const moved = draft.moveDevice(device.deviceId, 'dispatch', {
    attempt,
    tries: device.tries + 1,
    deadlineAt,
    retryAt: null,
  });
  if (!moved) return;
  const { deviceId, variantId } = device;
  draft.effects.push({ type: 'send', deviceId, variantId, attempt });
}

/** Takes a device's report; stale ones, and those the table has no move for, change nothing. */
export function takeReport(draft: Draft, report: ReportEvent): void {
  const device = draft.device(report.deviceId);
  if (!device || device.attempt !== report.attempt) return;
  if (device.status === 'reverting' || device.status === 'stranded') {
    takeRevertReport(draft, device, report);
    return;
  }
  // The attempt is over; the next one has its own reports.
  if (device.status === 'backoff') return;
  switch (report.state) {
    case 'accepted':
    case 'downloading':
    case 'installing':
    case 'probing':
      draft.moveDevice(device.deviceId, 'progress');
      return;
    case 'active': {
      const expected = draft.variants[device.variantId]?.modelSha256 ?? null;
      const fault = faultOfActive(report, expected);
      if (fault) breakDevice(draft, device, fault);
      else draft.moveDevice(device.deviceId, 'activate', { deadlineAt: null, failure: null });
      return;
    }
    case 'refused':
      breakDevice(draft, device, failureOf(report));
      return;
    case 'failed':
      retryOrBreak(draft, device, failureOf(report));
      return;
  }
}

/** What is wrong with a report that says active: success is the hash that was loaded, and a probe. */
function faultOfActive(report: ReportEvent, expected: string | null): Failure | null {
  if (report.loadedSha256 === null || report.loadedSha256 !== expected) {
    return {
      code: 'ROLLOUT_HASH',
      message: `The device loaded ${report.loadedSha256 ?? 'bytes that it does not name'}, not ${String(expected)}.`,
    };
  }
  if (!report.probe?.finite) {
    return {
      code: 'ROLLOUT_PROBE',
      message: report.probe
        ? 'The probe inference gave values that are not finite.'
        : 'The device reported active without a probe inference.',
    };
  }
  return null;
}

function failureOf(report: ReportEvent): Failure {
  return (
    report.failure ?? { code: 'ROLLOUT_UNSAID', message: `The device reported ${report.state}.` }
  );
}

function retryOrBreak(draft: Draft, device: DeviceRecord, failure: Failure): void {
  const dispatching = ['running', 'awaiting', 'paused', 'held'].includes(draft.status);
  const again =
    dispatching &&
    !draft.isHalted(device.variantId) &&
    device.tries < draft.spec.maxAttempts &&
    !isTooMuch(draft, device);
  if (again) {
    const retryAt = draft.now + draft.spec.retrySeconds * 1000 * 2 ** (device.tries - 1);
    const faultsAt = faultsWithNow(draft, device);
    if (draft.moveDevice(device.deviceId, 'fault', { retryAt, failure, faultsAt })) {
      draft.decideDevice(device, 'retry', failure);
      return;
    }
  }
  breakDevice(draft, device, failure);
}

/** Ends a device's part; in quarantine when it failed too often. */
function breakDevice(draft: Draft, device: DeviceRecord, failure: Failure): void {
  const change = {
    failure,
    deadlineAt: null,
    retryAt: null,
    faultsAt: faultsWithNow(draft, device),
  };
  const quarantined =
    isTooMuch(draft, device) && draft.moveDevice(device.deviceId, 'quarantine', change);
  if (!quarantined && !draft.moveDevice(device.deviceId, 'break', change)) return;
  draft.decideDevice(device, quarantined ? 'quarantined' : 'failed', failure);
  draft.effects.push({ type: 'withdraw', deviceId: device.deviceId });
}

/** Whether one failure more, now, is one too many. */
function isTooMuch(draft: Draft, device: DeviceRecord): boolean {
  const here = device.faultsAt.length - device.faultsBefore.length + 1;
  const lately = device.faultsAt.filter((at) => at > draft.now - HOUR_MS).length + 1;
  return here >= QUARANTINE_FAULTS || lately >= QUARANTINE_HOURLY;
}

const faultsWithNow = ({ now }: Draft, { faultsAt }: DeviceRecord): readonly number[] => [
  ...faultsAt,
  now,
];

function takeRevertReport(draft: Draft, device: DeviceRecord, report: ReportEvent): void {
  if (report.state === 'active' && report.loadedSha256 === device.previous?.modelSha256) {
    draft.moveDevice(device.deviceId, 'revertDone', { deadlineAt: null });
  } else if (['active', 'failed', 'refused'].includes(report.state)) {
    const failure = faultOfActive(report, device.previous?.modelSha256 ?? null);
    strand(draft, device, report.state === 'active' && failure ? failure : failureOf(report));
  }
}

function strand(draft: Draft, device: DeviceRecord, failure: Failure): void {
  if (draft.moveDevice(device.deviceId, 'revertFail', { deadlineAt: null, failure })) {
    draft.decideDevice(device, 'stranded', failure);
  }
}

/** Ends every wait that is over: nothing is stuck for ever. */
export function expireDeadlines(draft: Draft): void {
  for (const device of draft.all()) {
    if (device.deadlineAt === null || device.deadlineAt > draft.now) continue;
    switch (device.status) {
      case 'sent':
        if (draft.moveDevice(device.deviceId, 'silence', { deadlineAt: null })) {
          draft.decideDevice(device, 'missing', null);
        }
        break;
      case 'working':
      case 'backoff':
        breakDevice(draft, device, device.failure ?? DEADLINE);
        break;
      case 'reverting':
        strand(draft, device, DEADLINE);
        break;
      default:
        break;
    }
  }
}

/**
 * Takes devices back: those that were sent something return to what they ran before, those that
 * had nothing keep what they have, those not reached are cancelled.
 */
export function revertDevices(draft: Draft, devices: readonly DeviceRecord[]): void {
  for (const device of devices) {
    const { deviceId, previous } = device;
    const attempt = device.attempt + 1;
    const deadlineAt = draft.now + draft.spec.deviceDeadlineSeconds * 1000;
    if (
      previous &&
      device.attempt > 0 &&
      draft.moveDevice(deviceId, 'revert', { attempt, deadlineAt, retryAt: null })
    ) {
      draft.decideDevice(device, 'revert', device.failure);
      draft.effects.push({ type: 'revert', deviceId, to: previous, attempt });
    } else if (
      draft.moveDevice(deviceId, 'cancel', { deadlineAt: null, retryAt: null }) ||
      (!previous && draft.moveDevice(deviceId, 'keep', { deadlineAt: null, retryAt: null }))
    ) {
      if (device.attempt > 0) draft.effects.push({ type: 'withdraw', deviceId });
    }
  }
}

/**
 * Gives devices of a stopped variant the safest other one that is not stopped: those that wait, and
 * those that went back or have nothing to go back to. They keep their stage; the tries begin anew.
 * @returns whether there was one
 */
export function replanDevices(draft: Draft): boolean {
  let replanned = false;
  if (!draft.spec.replan || !draft.anyHalted) return replanned;
  for (const device of draft.all()) {
    if (!draft.isHalted(device.variantId)) continue;
    const to = nextVariant(draft, device);
    if (to === null) continue;
    const { deviceId, variantId: from } = device;
    const change = { variantId: to, tries: 0, deadlineAt: null, retryAt: null, failure: null };
    if (draft.moveDevice(deviceId, 'replan', change)) {
      draft.decide({ rule: 'replan', deviceId, from, to });
      replanned = true;
    }
  }
  return replanned;
}

/** The variant that a device of a stopped one could have instead; null: none. */
export const nextVariant = (draft: Draft, { alternatives }: DeviceRecord): string | null =>
  alternatives.find((variantId) => !draft.isHalted(variantId)) ?? null;

/** Cancels what has not begun, and lets devices at work end by themselves. */
export function cancelDevices(draft: Draft): void {
  for (const { deviceId, attempt } of draft.all()) {
    if (draft.moveDevice(deviceId, 'cancel', { deadlineAt: null, retryAt: null }) && attempt > 0) {
      draft.effects.push({ type: 'withdraw', deviceId });
    }
  }
}
