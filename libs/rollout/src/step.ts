import { advance, fillSlots, openNextStage, promote } from './advance.js';
import { cancelDevices, dispatch, expireDeadlines, revertDevices, takeReport } from './devices.js';
import { Draft } from './draft.js';
import type { Decision, Effect, Order, RolloutEvent } from './events.js';
import type { RolloutState } from './state.js';

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
  const draft = new Draft(state, now);
  apply(draft, event);
  advance(draft);
  const { state: after, effects, decisions, changed } = draft;
  const quiet =
    changed.size === 0 &&
    decisions.length === 0 &&
    after.status === state.status &&
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
      expireDeadlines(draft);
      fillSlots(draft);
      return;
    case 'report':
      takeReport(draft, event);
      return;
    case 'hello':
      retryMissing(draft, (deviceId) => deviceId === event.deviceId);
      return;
    case 'start':
      if (draft.move('start')) {
        decideOrder(draft, 'start', event);
        openNextStage(draft);
      }
      return;
    case 'pause':
      if (draft.move('pause')) decideOrder(draft, 'pause', event);
      return;
    case 'resume':
      if (draft.move('resume')) {
        decideOrder(draft, 'resume', event);
        retryMissing(draft, () => true);
        fillSlots(draft);
      }
      return;
    case 'promote':
      if (draft.move('promote')) {
        decideOrder(draft, 'promote', event);
        promote(draft);
      }
      return;
    case 'abort':
      if (draft.move('abort')) {
        decideOrder(draft, 'abort', event, event.mode);
        if (event.mode === 'revert') revertDevices(draft, draft.all());
        else cancelDevices(draft);
      }
      return;
  }
}

function decideOrder(draft: Draft, outcome: string, order: Order, mode?: 'keep' | 'revert'): void {
  const { by, why } = order;
  draft.decide({ rule: 'order', outcome, by, why, ...(mode ? { mode } : {}) });
}

/** Tries devices again that were given up for silent, within their tries and the free slots. */
function retryMissing(draft: Draft, wanted: (deviceId: string) => boolean): void {
  if (draft.status !== 'running') return;
  const counts = draft.counts(null, null);
  let slots = draft.spec.maxInFlight - counts.sent - counts.working;
  for (const device of draft.all()) {
    if (slots <= 0) return;
    const may =
      device.status === 'missing' &&
      device.stage <= draft.stage &&
      device.tries < draft.spec.maxAttempts &&
      !draft.isHalted(device.variantId) &&
      wanted(device.deviceId);
    if (!may) continue;
    dispatch(draft, device);
    slots -= 1;
  }
}
