import { stageOfJoiner } from './assignment.js';
import { advance, fillSlots, freeSlots, openNextStage, promote, WATCHED } from './advance.js';
import { cancelDevices, dispatch, expireDeadlines, revertDevices, takeReport } from './devices.js';
import { Draft } from './draft.js';
import type { Decision, Effect, Order, OrderEvent, RolloutEvent } from './events.js';
import { recordOf, type Member, type RolloutState } from './state.js';

/** The outcome of a step: store `state` and `decisions` first, then do the effects. */
export interface StepResult {
  readonly state: RolloutState;
  readonly effects: readonly Effect[];
  readonly decisions: readonly Decision[];
  /** Devices whose record is another one now. */
  readonly changed: ReadonlySet<string>;
  /** Whether the event did nothing at all, so that it need not be stored. */
  readonly quiet: boolean;
}

/**
 * One step of a rollout. Pure: the same state, event and time give the same result; an event that
 * the table has no move for (late, repeated, reordered, unknown device) changes nothing.
 * @param now milliseconds since the epoch
 */
export function step(state: RolloutState, event: RolloutEvent, now: number): StepResult {
  const evidence = event.type === 'tick' ? (event.evidence ?? null) : null;
  const draft = new Draft(state, now, evidence);
  apply(draft, event);
  advance(draft);
  const { state: after, effects, decisions, changed } = draft;
  const quiet =
    changed.size === 0 &&
    decisions.length === 0 &&
    after.status === state.status &&
    after.scheduled === state.scheduled &&
    after.passedAt === state.passedAt;
  return { state: quiet ? state : after, effects, decisions, changed, quiet };
}

/** Steps through recorded events from a rollout's first state: the decisions must come out again. */
export function replay(
  initial: RolloutState,
  log: Iterable<{ readonly event: RolloutEvent; readonly at: number }>,
): { readonly state: RolloutState; readonly decisions: readonly Decision[] } {
  let state = initial;
  const decisions: Decision[] = [];
  for (const { event, at } of log) {
    const result = step(state, event, at);
    state = result.state;
    decisions.push(...result.decisions);
  }
  return { state, decisions };
}

function apply(draft: Draft, event: RolloutEvent): void {
  switch (event.type) {
    case 'tick':
      followSchedule(draft);
      endWaits(draft);
      expireDeadlines(draft);
      fillSlots(draft);
      return;
    case 'join':
      join(draft, event.member);
      return;
    case 'report':
      takeReport(draft, event);
      return;
    case 'hello':
      retryMissing(draft, (deviceId) => deviceId === event.deviceId);
      return;
    case 'start':
    case 'pause':
    case 'resume':
    case 'promote':
    case 'approve':
    case 'abort':
      obey(draft, event);
      return;
  }
}

/** Carries out a person's order, or that of the schedule or a deadline. */
function obey(draft: Draft, event: OrderEvent): void {
  if (!draft.move(event.type)) return;
  switch (event.type) {
    case 'start':
      draft.markStarted();
      decideOrder(draft, 'start', event);
      holdControlsBack(draft);
      openNextStage(draft);
      return;
    case 'pause':
      decideOrder(draft, 'pause', event);
      return;
    case 'resume':
      decideOrder(draft, 'resume', event);
      // What held it is waited for anew.
      draft.markPassed(null);
      retryMissing(draft, () => true);
      fillSlots(draft);
      return;
    case 'promote':
    case 'approve':
      decideOrder(draft, event.type, event);
      promote(draft);
      return;
    case 'abort':
      decideOrder(draft, 'abort', event, event.mode);
      if (event.mode === 'revert') revertDevices(draft, draft.all());
      else cancelDevices(draft);
      return;
  }
}

/** Gives the orders of the schedule that are due; one that the status does not allow is passed over. */
function followSchedule(draft: Draft): void {
  for (;;) {
    const due = draft.spec.schedule[draft.scheduled];
    if (!due || Date.parse(due.at) > draft.now) return;
    draft.markScheduled();
    const order = { by: 'schedule', why: `set for ${due.at}` };
    if (due.order === 'abort') obey(draft, { type: 'abort', mode: due.mode, ...order });
    else obey(draft, { type: due.order, ...order });
  }
}

/** Ends what waits for a person too long. */
function endWaits(draft: Draft): void {
  const { spec, now } = draft;
  const waited = (now - draft.statusSince) / 1000;
  if (draft.status === 'awaiting' && waited >= spec.approvalSeconds && draft.move('hold')) {
    draft.decide({ rule: 'approval', stage: draft.stage + 1, outcome: 'expired' });
  }
  if (['draft', 'paused', 'held'].includes(draft.status) && waited >= spec.holdSeconds) {
    const why = `${draft.status} for ${spec.holdSeconds} s`;
    obey(draft, { type: 'abort', mode: spec.holdEnds, by: 'deadline', why });
  }
}

function holdControlsBack(draft: Draft): void {
  const { stages } = draft.spec;
  for (const { deviceId, stage } of draft.all()) {
    if (stage === stages.length) draft.moveDevice(deviceId, 'holdBack');
  }
}

/** Takes a late device in, into the stage that it belongs to; that may be open already. */
function join(draft: Draft, member: Member): void {
  const { spec, stage: open } = draft;
  const known = draft.device(member.deviceId) !== undefined;
  const offered = Object.hasOwn(draft.variants, member.variantId);
  if (!spec.joinLate || known || !offered || ![...WATCHED, 'draft'].includes(draft.status)) return;
  const stagesOf = draft.all().flatMap(({ stage }) => (stage < spec.stages.length ? [stage] : []));
  const stage = stageOfJoiner(
    draft.id,
    { deviceId: member.deviceId, variantId: member.variantId, labels: member.labels ?? {} },
    spec,
    stagesOf.length,
    (upTo) => stagesOf.filter((one) => one <= upTo).length,
  );
  if (open >= spec.stages.length) return;
  draft.join(recordOf(member, stage, true, draft.now));
  const { deviceId, variantId } = member;
  draft.decide({ rule: 'join', deviceId, variantId, stage });
  fillSlots(draft);
}

function decideOrder(draft: Draft, outcome: string, order: Order, mode?: 'keep' | 'revert'): void {
  const { by, why } = order;
  draft.decide({ rule: 'order', outcome, by, why, ...(mode ? { mode } : {}) });
}

/** Tries devices again that were given up for silent, within their tries and the free slots. */
function retryMissing(draft: Draft, wanted: (deviceId: string) => boolean): void {
  if (draft.status !== 'running') return;
  let slots = freeSlots(draft);
  for (const device of draft.all()) {
    if (slots <= 0) return;
    const may =
      device.status === 'missing' &&
      device.stage <= draft.stage &&
      device.tries < draft.spec.maxAttempts &&
      !draft.isHalted(device.variantId) &&
      wanted(device.deviceId);
    if (!may) continue;
    if (!draft.spendAllowance()) return;
    dispatch(draft, device);
    slots -= 1;
  }
}
