import { INSTALL_TRANSITIONS, installAfter, isSettled } from './install-machine.js';
import { INSTALL_STATES, type InstallState } from './up.js';

/** Where an install begins: taken, or refused. */
const FIRST: readonly InstallState[] = ['accepted', 'refused'];

describe('the install table', () => {
  it('reaches every state, and from every unsettled one both an end and a failure', () => {
    const reached = new Set<InstallState>(FIRST);
    for (const state of reached)
      for (const next of Object.values(INSTALL_TRANSITIONS[state])) reached.add(next);
    expect([...reached].sort()).toEqual([...INSTALL_STATES].sort());
    for (const state of INSTALL_STATES.filter((each) => !isSettled(each))) {
      expect(installAfter(state, 'fail')).toBe('failed');
    }
  });

  it('never calls a model active that was not probed, and leaves no end but for a lost model', () => {
    const before = INSTALL_STATES.filter((state) =>
      Object.values(INSTALL_TRANSITIONS[state]).includes('active'),
    );
    expect(before).toEqual(['probing']);
    expect(INSTALL_TRANSITIONS.failed).toEqual({});
    expect(INSTALL_TRANSITIONS.refused).toEqual({});
    expect(INSTALL_TRANSITIONS.active).toEqual({ fail: 'failed' });
  });
});
