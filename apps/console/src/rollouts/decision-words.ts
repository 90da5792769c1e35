import type { Decision } from '../api/types';
import type { Tone } from '../parts/tone';
import { evidenceText, GATE_NAMES } from './evidence';

/** A decision in words. */
export interface DecisionWords {
  readonly title: string;
  readonly tone: Tone;
  readonly detail: string | null;
}

const OUTCOMES: Readonly<Record<string, Tone>> = { halt: 'bad', hold: 'wait', pass: 'good' };
const DEVICE_TONES: Readonly<Record<string, Tone>> = {
  retry: 'wait',
  failed: 'bad',
  quarantined: 'bad',
  missing: 'wait',
  revert: 'wait',
  stranded: 'bad',
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
        title: `${text('by')} ordered: ${text('outcome')}${decision['mode'] ? ` (${text('mode')})` : ''}`,
        tone: text('outcome') === 'abort' ? 'bad' : 'busy',
        detail: text('why') === '' ? null : `“${text('why')}”`,
      };
    case 'open-stage':
      return {
        title: `Opened ${stage()}: ${text('devices')} ${text('devices') === '1' ? 'device' : 'devices'}`,
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

const stageOrAll = (decision: Decision): string =>
  typeof decision['stage'] === 'number' ? `stage ${decision['stage'] + 1}` : 'the rollout';

function deviceWords(decision: Decision, text: (key: string) => string): DecisionWords {
  const outcome = text('outcome');
  const failure = decision['failure'] as { code: string; message: string } | null;
  const numbers = decision['numbers'] as { tries: number; maxAttempts: number } | undefined;
  return {
    title: `${text('deviceId')}: ${outcome}`,
    tone: DEVICE_TONES[outcome] ?? 'idle',
    detail: [
      failure ? `${failure.code}: ${failure.message}` : null,
      numbers ? `try ${numbers.tries} of ${numbers.maxAttempts}` : null,
    ]
      .filter((part) => part !== null)
      .join('; '),
  };
}
