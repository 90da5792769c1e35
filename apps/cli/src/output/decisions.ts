import { TABLE, type RolloutStatus } from '@espalier/rollout';
import type { Decision } from '../api/rollouts.js';
import { duration, percent, some } from './figures.js';
import { table, type Terminal } from './terminal.js';

type Numbers = Readonly<Record<string, unknown>>;

/** A decision for people. */
interface Row {
  /** What was decided about: the rollout, a stage, a variant, a device. */
  readonly about: string;
  /** From which state to which, as far as the log says it. */
  readonly state: string;
  readonly why: string;
  readonly evidence: string;
}

/** Decisions in their order: when, about what, from which state to which, why, and on what evidence. */
export function decisionsText(decisions: readonly Decision[], terminal: Terminal): string {
  if (decisions.length === 0) return 'Nothing was decided yet; `espalier rollouts start` begins.';
  let status: RolloutStatus = TABLE.rollout.initial;
  const rows = decisions.map((decision) => {
    const next = statusAfter(status, decision);
    const row = rowOf(decision, status, next);
    status = next;
    return [timeOf(decision), row.about, row.state, row.why, row.evidence];
  });
  return table(terminal, ['time', 'about', 'state', 'why', 'evidence'], rows, {
    wrap: { 3: 40, 4: 44 },
  });
}

/** The evidence of a gate in few words; null: nothing was measured. */
export function gateEvidence(rule: string, numbers: Numbers | null): string {
  if (!numbers) return 'nothing was measured';
  switch (rule) {
    case 'failed-share': {
      const of = num(numbers, 'failed') + num(numbers, 'active');
      return `${num(numbers, 'failed')} of ${of} failed, at most ${percent(num(numbers, 'maxFailedShare'))}; ${num(numbers, 'open')} open, ${num(numbers, 'missing')} silent`;
    }
    case 'accuracy': {
      const { treated = 0, control = 0 } = (numbers['labels'] ?? {}) as Record<string, number>;
      const isCompared = numbers['compared'] === 'with-control';
      const error = Math.sqrt(Math.max(0, num(numbers, 'variance')));
      return `${percent(num(numbers, 'estimate'))} ± ${percent(error)}${isCompared ? ' against controls' : ''}; stops under ${percent(num(numbers, 'stopUnder'))}, passes over ${percent(num(numbers, 'passOver'))}; ${treated}${isCompared ? ` and ${control}` : ''} labels`;
    }
    case 'latency':
    case 'memory':
    case 'restarts':
      return `${some(num(numbers, 'over'), 'device')} over the limit, ${num(numbers, 'within')} within, ${num(numbers, 'unknown')} not known; at most ${percent(num(numbers, 'maxShare'))} over`;
    default:
      return Object.entries(numbers)
        .map(([name, value]) => `${String(value)} ${name}`)
        .join(', ');
  }
}

/** What a decision did to the rollout as a whole, by the table that decided it. */
function statusAfter(status: RolloutStatus, decision: Decision): RolloutStatus {
  const rule = text(decision, 'rule');
  const outcome = text(decision, 'outcome');
  if (rule === 'end') return outcome as RolloutStatus;
  const moves: Readonly<Record<string, RolloutStatus | undefined>> =
    TABLE.rollout.transitions[status];
  const move = moveOf(rule, outcome, decision['variantId'] ?? null);
  return (move === null ? undefined : moves[move]) ?? status;
}

function moveOf(rule: string, outcome: string, variantId: unknown): string | null {
  if (rule === 'order') return outcome;
  if (rule === 'approval') return outcome === 'asked' ? 'ask' : 'hold';
  if (outcome === 'hold') return 'hold';
  return outcome === 'halt' && variantId === null ? 'halt' : null;
}

/** States of a device after what was decided of it. */
const DEVICES: Readonly<Record<string, readonly [state: string, why: string]>> = {
  retry: ['backoff', 'it failed, and is tried again'],
  failed: ['failed', 'it failed'],
  quarantined: ['quarantined', 'it failed too often'],
  missing: ['missing', 'it did not answer in time'],
  revert: ['reverting', 'its variant or the rollout was stopped'],
  stranded: ['stranded', 'it did not say that it went back'],
};
const GATES: Readonly<Record<string, string>> = { halt: 'stopped', hold: 'held', pass: 'passed' };

function rowOf(decision: Decision, from: RolloutStatus, to: RolloutStatus): Row {
  const rule = text(decision, 'rule');
  const outcome = text(decision, 'outcome');
  const numbers = (decision['numbers'] ?? null) as Numbers | null;
  const moved = from === to ? '' : `${from} → ${to}`;
  const stage = `stage ${Number(decision['stage']) + 1}`;
  const device = text(decision, 'deviceId');
  switch (rule) {
    case 'order': {
      const why = text(decision, 'why');
      const mode = text(decision, 'mode');
      return {
        about: 'the rollout',
        state: moved,
        why: `order of ${text(decision, 'by')}: ${outcome}${mode && ` (${mode})`}`,
        evidence: why && `"${why}"`,
      };
    }
    case 'open-stage':
      return {
        ...{ about: stage, state: 'waiting → open', why: 'what comes before it is done' },
        evidence: some(num(decision, 'devices'), 'device'),
      };
    case 'approval':
      return {
        ...{ about: stage, state: moved, evidence: '' },
        why: outcome === 'asked' ? 'a person must approve it' : 'nobody approved it in time',
      };
    case 'join':
      return {
        ...{ about: device, state: '→ waiting', why: 'it came after the rollout was written' },
        evidence: `${text(decision, 'variantId')}, ${stage}`,
      };
    case 'replan':
      return {
        ...{ about: device, state: '→ waiting', why: 'its variant was stopped' },
        evidence: `${text(decision, 'to')} for ${text(decision, 'from')}`,
      };
    case 'soak':
      return {
        ...{ about: stage, state: 'open → watched', why: 'it was watched long enough' },
        evidence: `${duration(num(numbers ?? {}, 'watchedSeconds'))} of ${duration(num(numbers ?? {}, 'soakSeconds'))}`,
      };
    case 'device': {
      const [state, why] = DEVICES[outcome] ?? [outcome, ''];
      const failure = decision['failure'] as { code: string; message: string } | null;
      return {
        ...{ about: device, state: `→ ${state}` },
        why: failure ? `${failure.code}: ${failure.message}` : why,
        evidence: numbers ? `try ${num(numbers, 'tries')} of ${num(numbers, 'maxAttempts')}` : '',
      };
    }
    case 'end':
      return {
        ...{ about: 'the rollout', state: moved, why: 'no device is at work any more' },
        evidence: gateEvidence('end', numbers),
      };
    default:
      return {
        about: text(decision, 'variantId') || (decision['stage'] === null ? 'the rollout' : stage),
        state: moved || `→ ${GATES[outcome] ?? outcome}`,
        ...{ why: `gate: ${rule}`, evidence: gateEvidence(rule, numbers) },
      };
  }
}

/** The instant in this machine's time, to the second. */
function timeOf(decision: Decision): string {
  const at = new Date(text(decision, 'at'));
  const two = (value: number): string => String(value).padStart(2, '0');
  const day = [at.getFullYear(), two(at.getMonth() + 1), two(at.getDate())].join('-');
  return `${day} ${[at.getHours(), at.getMinutes(), at.getSeconds()].map(two).join(':')}`;
}

const text = (decision: Decision, key: string): string => {
  const value = decision[key];
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
};
const num = (numbers: Numbers, key: string): number => {
  const value = numbers[key];
  return typeof value === 'number' ? value : 0;
};
