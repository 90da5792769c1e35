import { mostThatAnyTestDetects } from './attainable.js';

describe('the most that any test detects', () => {
  it('is the level itself where nothing changes, and all where everything does', () => {
    const asked = { share: 0.2, runs: 10, runsPerFalseAlarm: 100 };
    expect(mostThatAnyTestDetects({ ...asked, factor: 1 })).toBeCloseTo(0.1, 12);
    expect(mostThatAnyTestDetects({ ...asked, share: 0.01, factor: 99 })).toBeGreaterThan(0.99);
  });

  it('of one in two runs of a single run is what a coin allows', () => {
    // Alarms on every second hit: a hit has probability 1/2, and with drift 1.
    const asked = { share: 0.5, factor: 2 - 1e-12, runs: 1, runsPerFalseAlarm: 4 };
    expect(mostThatAnyTestDetects(asked)).toBeCloseTo(0.5, 9);
  });
});
