import { percent, points, some } from '../parts/format';

type Numbers = Readonly<Record<string, unknown>>;

const num = (numbers: Numbers, key: string): number => {
  const value = numbers[key];
  return typeof value === 'number' ? value : 0;
};
const arms = (numbers: Numbers, key: string): { treated: number; control: number } => {
  const value = (numbers[key] ?? {}) as Partial<Record<'treated' | 'control', number>>;
  return { treated: value.treated ?? 0, control: value.control ?? 0 };
};

/** What a gate is called. */
export const GATE_NAMES: Readonly<Record<string, string>> = {
  'failed-share': 'Failed devices',
  accuracy: 'Accuracy in the field',
  latency: 'Latency',
  memory: 'Memory',
  restarts: 'Restarts',
};

/** The numbers that a gate's verdict follows from, in words. */
export function evidenceText(rule: string, numbers: Numbers | null): string {
  if (!numbers) return 'Nothing was measured yet; missing data is never success.';
  if (rule === 'failed-share') return failedShare(numbers);
  if (rule === 'accuracy') return accuracy(numbers);
  if (GATE_NAMES[rule]) return deviceShare(numbers);
  return Object.entries(numbers)
    .filter(([, value]) => value !== 0)
    .map(
      ([name, value]) =>
        `${name} ${typeof value === 'number' ? plain(value) : JSON.stringify(value)}`,
    )
    .join(', ');
}

const plain = (value: number): string =>
  Number.isInteger(value) ? String(value) : value.toPrecision(4);

function failedShare(numbers: Numbers): string {
  const failed = num(numbers, 'failed');
  const active = num(numbers, 'active');
  const sample = failed + active;
  const share = sample === 0 ? 'no result yet' : `${percent(failed / sample)} failed`;
  return [
    `${failed} of ${sample} results failed (${share}; at most ${percent(num(numbers, 'maxFailedShare'))})`,
    `${num(numbers, 'open')} open`,
    `${num(numbers, 'missing')} silent`,
    `counts from ${some(num(numbers, 'minSample'), 'result')} on`,
  ].join(', ');
}

function accuracy(numbers: Numbers): string {
  const labels = arms(numbers, 'labels');
  const devices = arms(numbers, 'devices');
  const deviation = Math.sqrt(Math.max(0, num(numbers, 'variance')));
  const estimate = num(numbers, 'estimate');
  const compared = numbers['compared'] === 'with-control';
  const show = compared ? points : (share: number) => percent(share, 2);
  return [
    `${compared ? 'Change against the controls' : 'No control; accuracy itself'} ${show(estimate)} (standard error ${(100 * deviation).toFixed(2)} pp)`,
    `stops what is shown under ${show(num(numbers, 'stopUnder'))}, passes what is shown over ${show(num(numbers, 'passOver'))}`,
    compared
      ? `${labels.treated} labels of ${some(devices.treated, 'device')} against ${labels.control} of ${some(devices.control, 'control')}`
      : `${labels.treated} labels of ${some(devices.treated, 'device')}`,
    `may err with probability ${num(numbers, 'error').toPrecision(2)}`,
  ].join('; ');
}

function deviceShare(numbers: Numbers): string {
  return [
    `${some(num(numbers, 'over'), 'device')} over the limit`,
    `${num(numbers, 'within')} within`,
    `${num(numbers, 'unknown')} not known yet`,
    `at most ${percent(num(numbers, 'maxShare'))} may be over`,
  ].join(', ');
}
