import type { InstallState } from './up.js';

/** What can happen to an install. */
export type InstallEvent = 'begin' | 'held' | 'received' | 'written' | 'passed' | 'fail';

/**
 * Every state that an install can be in, and where an event leads from there; what is not listed
 * cannot happen. A state is persisted before its work begins, and its work may be repeated.
 */
export const INSTALL_TRANSITIONS: Readonly<
  Record<InstallState, Readonly<Partial<Record<InstallEvent, InstallState>>>>
> = {
  accepted: { begin: 'downloading', held: 'probing', fail: 'failed' },
  downloading: { received: 'installing', fail: 'failed' },
  installing: { written: 'probing', fail: 'failed' },
  probing: { passed: 'active', fail: 'failed' },
  // An active model is loaded again at each start, and may then turn out to be another.
  active: { fail: 'failed' },
  failed: {},
  refused: {},
};

/** Where an event leads, or undefined when it cannot happen in that state. */
export const installAfter = (state: InstallState, event: InstallEvent): InstallState | undefined =>
  INSTALL_TRANSITIONS[state][event];

/** Whether there is nothing left to do. */
export const isSettled = (state: InstallState): boolean =>
  state === 'active' || state === 'failed' || state === 'refused';
