import type { ReactNode } from 'react';
import type { DeviceState, RolloutStatus } from '../api/types';

/** How something is, in one word that has a colour. */
export type Tone = 'good' | 'busy' | 'wait' | 'bad' | 'idle';

const DEVICE: Readonly<Record<DeviceState, Tone>> = {
  enrolled: 'wait',
  ready: 'idle',
  accepted: 'busy',
  downloading: 'busy',
  installing: 'busy',
  probing: 'busy',
  active: 'good',
  failed: 'bad',
  refused: 'bad',
};

const ROLLOUT: Readonly<Record<RolloutStatus, Tone>> = {
  draft: 'idle',
  running: 'busy',
  awaiting: 'wait',
  paused: 'wait',
  held: 'wait',
  halting: 'bad',
  aborting: 'wait',
  completed: 'good',
  halted: 'bad',
  aborted: 'idle',
};

/** Statuses of a device within a rollout. */
const MEMBER: Readonly<Record<string, Tone>> = {
  active: 'good',
  sent: 'busy',
  working: 'busy',
  backoff: 'wait',
  reverting: 'wait',
  missing: 'wait',
  failed: 'bad',
  quarantined: 'bad',
  stranded: 'bad',
  unrevertable: 'bad',
};

const VERDICT: Readonly<Record<string, Tone>> = {
  pass: 'good',
  wait: 'busy',
  hold: 'wait',
  halt: 'bad',
};

/** A dot and a word: the colour is never all that tells. */
export function Told({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className="told">
      <i className={`dot ${tone}`} aria-hidden="true" />
      {children}
    </span>
  );
}

export const DeviceStateWord = ({ state }: { state: DeviceState }) => (
  <Told tone={DEVICE[state]}>{state}</Told>
);

export const RolloutWord = ({ status }: { status: RolloutStatus }) => (
  <Told tone={ROLLOUT[status]}>{status === 'awaiting' ? 'awaiting approval' : status}</Told>
);

export const MemberWord = ({ status }: { status: string }) => (
  <Told tone={toneOfMember(status)}>{status}</Told>
);

export const VerdictWord = ({ verdict }: { verdict: string }) => (
  <Told tone={VERDICT[verdict] ?? 'idle'}>{verdict === 'wait' ? 'watching' : verdict}</Told>
);

export const toneOfMember = (status: string): Tone => MEMBER[status] ?? 'idle';
