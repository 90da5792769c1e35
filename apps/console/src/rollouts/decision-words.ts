import type { Decision } from '../api/types';
import { some } from '../parts/format';
import type { Tone } from '../parts/tone';
import { evidenceText, GATE_NAMES } from './evidence';

/** A decision in words. */
export interface DecisionWords {
  readonly title: string;
  readonly tone: Tone;
  readonly detail: string | null;
}

const OUTCOMES: Readonly<Record<string, Tone>> = { halt: 'bad', hold: 'wait', pass: 'good' };
/** What became of a device. */
const DEVICES: Readonly<Record<string, { readonly what: string; readonly tone: Tone }>> = {
  retry: { what: 'is tried again', tone: 'wait' },
  failed: { what: 'failed', tone: 'bad' },
  quarantined: { what: 'failed too often, and is in quarantine', tone: 'bad' },
  missing: { what: 'did not answer in time', tone: 'wait' },
  revert: { what: 'goes back to what it ran before', tone: 'wait' },
  stranded: { what: 'did not say that it went back', tone: 'bad' },
};
/** What an order was called. */
const ORDERS: Readonly<Record<string, string>> = {
  start: 'started it',
  pause: 'paused it',
  resume: 'let it go on',
  promote: 'opened the next stage although a gate did not pass',
  approve: 'approved the next stage',
  abort: 'aborted it',
};

/** Says a decision in words, with the numbers that it rests on. */
export function decisionWords(decision: Decision): DecisionWords {
  const text = (key: string): string => String(decision[key] ?? '');
  const stage = (): string => `stage ${Number(decision['stage']) + 1}`;
  const numbers = (decision['numbers'] ?? null) as Readonly<Record<string, unknown>> | null;
  const rule = text('rule');
  switch (rule) {
    case 'order':
      return {
        title: orderText(decision, text),
        tone: text('outcome') === 'abort' ? 'bad' : 'busy',
        detail: text('why') === '' ? null : `“${text('why')}”`,
      };
    case 'open-stage':
      return {
        title: `Opened ${stage()}: ${some(Number(decision['devices']), 'device')}`,
        tone: 'busy',
        detail: null,
      };
    case 'approval':
      return { title: `Approval of ${stage()} ${text('outcome')}`, tone: 'wait', detail: null };
    case 'join':
      return {
        title: `${text('deviceId')} joined ${stage()}`,
        tone: 'busy',
        detail: `variant ${text('variantId')}`,
      };
    case 'replan':
      return {
        title: `${text('deviceId')} gets another variant`,
        tone: 'wait',
        detail: `${text('to')} instead of ${text('from')}`,
      };
    case 'soak':
      return {
        title: `Watched ${stage()} long enough`,
        tone: 'good',
        detail: `${Math.round(Number(numbers?.['watchedSeconds'] ?? 0))} s, ${Number(numbers?.['soakSeconds'] ?? 0)} s were asked for`,
      };
    case 'device':
      return deviceWords(decision, text);
    case 'end':
      return {
        title: `Ended: ${text('outcome')}`,
        tone: text('outcome') === 'completed' ? 'good' : 'bad',
        detail: evidenceText('end', numbers),
      };
    default: {
      const verb =
        { halt: 'stopped', hold: 'held', pass: 'passed' }[text('outcome')] ?? text('outcome');
      const whom = decision['variantId'] ? `variant ${text('variantId')}` : stageOrAll(decision);
      return {
        title: `${GATE_NAMES[rule] ?? rule}: ${verb} ${whom}`,
        tone: OUTCOMES[text('outcome')] ?? 'idle',
        detail: evidenceText(rule, numbers),
      };
    }
  }
}

function orderText({ mode }: Decision, text: (key: string) => string): string {
  const after = { revert: '; devices go back', keep: '; devices keep what they have' };
  const order = ORDERS[text('outcome')] ?? `ordered: ${text('outcome')}`;
  return `${text('by')} ${order}${mode === 'revert' || mode === 'keep' ? after[mode] : ''}`;
}

const stageOrAll = (decision: Decision): string =>
  typeof decision['stage'] === 'number' ? `stage ${decision['stage'] + 1}` : 'the rollout';

function deviceWords(decision: Decision, text: (key: string) => string): DecisionWords {
  const outcome = text('outcome');
  const { what, tone } = DEVICES[outcome] ?? { what: outcome, tone: 'idle' };
  const failure = decision['failure'] as { code: string; message: string } | null;
  const numbers = decision['numbers'] as { tries: number; maxAttempts: number } | undefined;
  return {
    title: `${text('deviceId')} ${what}`,
    tone,
    detail: [
      failure ? `${failure.code}: ${failure.message}` : null,
      numbers ? `try ${numbers.tries} of ${numbers.maxAttempts}` : null,
    ]
      .filter((part) => part !== null)
      .join('; '),
  };
}
