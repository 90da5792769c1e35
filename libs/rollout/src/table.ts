/**
 * What a rollout as a whole is doing. awaiting: its next stage waits to be approved. held: a gate
 * could not be judged, and a person must. Terminal: completed, halted, aborted.
 */
export const ROLLOUT_STATUSES = [
  'draft',
  'running',
  'awaiting',
  'paused',
  'held',
  'halting',
  'aborting',
  'completed',
  'halted',
  'aborted',
] as const;
export type RolloutStatus = (typeof ROLLOUT_STATUSES)[number];

/** What moves a rollout; each is a person's order or the outcome of a rule. */
export const ROLLOUT_MOVES = [
  'start',
  'pause',
  'resume',
  'promote',
  'ask',
  'approve',
  'hold',
  'halt',
  'abort',
  'finish',
  'settle',
] as const;
export type RolloutMove = (typeof ROLLOUT_MOVES)[number];

/**
 * What one device is doing within a rollout.
 * waiting: its stage is not open, or no slot is free. control: held back to compare with. sent: has a
 * target, has not answered. working: said that it began. backoff: failed, will be tried again.
 * quarantined: failed too often, and is sent nothing more. missing: never answered before its
 * deadline. stranded: told to go back, and did not say that it had. unrevertable: had nothing to go
 * back to.
 */
export const DEVICE_STATUSES = [
  'waiting',
  'control',
  'sent',
  'working',
  'backoff',
  'active',
  'failed',
  'quarantined',
  'missing',
  'cancelled',
  'reverting',
  'reverted',
  'stranded',
  'unrevertable',
] as const;
export type DeviceStatus = (typeof DEVICE_STATUSES)[number];

/** What moves a device. */
export const DEVICE_MOVES = [
  'holdBack',
  'include',
  'replan',
  'dispatch',
  'progress',
  'activate',
  'fault',
  'break',
  'quarantine',
  'silence',
  'cancel',
  'revert',
  'keep',
  'revertDone',
  'revertFail',
] as const;
export type DeviceMove = (typeof DEVICE_MOVES)[number];

/** A machine as data: what each move leads to from each status; a move not listed is ignored. */
export interface Machine<S extends string, M extends string> {
  readonly initial: S;
  readonly terminal: readonly S[];
  readonly moves: readonly M[];
  readonly transitions: Readonly<Record<S, Readonly<Partial<Record<M, S>>>>>;
}

const rollout: Machine<RolloutStatus, RolloutMove> = {
  initial: 'draft',
  terminal: ['completed', 'halted', 'aborted'],
  moves: ROLLOUT_MOVES,
  transitions: {
    draft: { start: 'running', abort: 'aborting' },
    running: {
      pause: 'paused',
      ask: 'awaiting',
      hold: 'held',
      halt: 'halting',
      abort: 'aborting',
      finish: 'completed',
    },
    awaiting: { approve: 'running', hold: 'held', halt: 'halting', abort: 'aborting' },
    paused: { resume: 'running', halt: 'halting', abort: 'aborting' },
    held: { resume: 'running', promote: 'running', halt: 'halting', abort: 'aborting' },
    halting: { settle: 'halted' },
    aborting: { settle: 'aborted' },
    completed: {},
    halted: {},
    aborted: {},
  },
};

const device: Machine<DeviceStatus, DeviceMove> = {
  initial: 'waiting',
  terminal: ['quarantined', 'cancelled'],
  moves: DEVICE_MOVES,
  transitions: {
    waiting: { holdBack: 'control', dispatch: 'sent', replan: 'waiting', cancel: 'cancelled' },
    control: { include: 'waiting', replan: 'control', cancel: 'cancelled' },
    sent: {
      progress: 'working',
      activate: 'active',
      fault: 'backoff',
      break: 'failed',
      quarantine: 'quarantined',
      silence: 'missing',
      revert: 'reverting',
      keep: 'unrevertable',
    },
    working: {
      progress: 'working',
      activate: 'active',
      fault: 'backoff',
      break: 'failed',
      quarantine: 'quarantined',
      revert: 'reverting',
      keep: 'unrevertable',
    },
    backoff: {
      dispatch: 'sent',
      break: 'failed',
      cancel: 'cancelled',
      revert: 'reverting',
      keep: 'unrevertable',
    },
    active: {
      break: 'failed',
      quarantine: 'quarantined',
      revert: 'reverting',
      keep: 'unrevertable',
    },
    failed: { revert: 'reverting' },
    quarantined: {},
    missing: {
      dispatch: 'sent',
      activate: 'active',
      break: 'failed',
      quarantine: 'quarantined',
      cancel: 'cancelled',
      revert: 'reverting',
      keep: 'unrevertable',
    },
    cancelled: {},
    reverting: { revertDone: 'reverted', revertFail: 'stranded' },
    reverted: { replan: 'waiting' },
    stranded: { revertDone: 'reverted', replan: 'waiting' },
    unrevertable: { replan: 'waiting' },
  },
};

/** The one table: everything that a rollout, and a device within it, may do. */
export const TABLE = { rollout, device } as const;

/** Where a move leads, or null when the table does not know it from there. */
export function follow<S extends string, M extends string>(
  machine: Machine<S, M>,
  from: S,
  move: M,
): S | null {
  return machine.transitions[from][move] ?? null;
}

/** Faults of a table, in words; empty when it is sound. */
export function checkMachine<S extends string, M extends string>(machine: Machine<S, M>): string[] {
  const statuses = Object.keys(machine.transitions) as S[];
  const targets = (from: S): S[] =>
    Object.values<S | undefined>(machine.transitions[from]).filter((to) => to !== undefined);
  const reach = (start: S): Set<S> => {
    const seen = new Set<S>([start]);
    for (const status of seen) for (const to of targets(status)) seen.add(to);
    return seen;
  };
  const used = new Set(statuses.flatMap((status) => Object.keys(machine.transitions[status])));
  const reachable = reach(machine.initial);
  return [
    ...statuses
      .filter((status) => !reachable.has(status))
      .map((status) => `${status} is unreachable`),
    ...statuses
      .filter((status) => !machine.terminal.some((end) => reach(status).has(end)))
      .map((status) => `${status} never ends`),
    ...machine.terminal
      .filter((status) => targets(status).length > 0)
      .map((status) => `${status} is terminal and has a way out`),
    ...statuses
      .filter((status) => !machine.terminal.includes(status) && targets(status).length === 0)
      .map((status) => `${status} has no transition and is not terminal`),
    ...machine.moves.filter((move) => !used.has(move)).map((move) => `${move} is never a move`),
  ];
}
