import { FLEET, summary } from './index.js';
import { simulateRollout } from './simulation.js';

const RUNS = 10;

const outcomes = (change: Partial<typeof FLEET>) =>
  summary(
    Array.from({ length: RUNS }, (_, run) => simulateRollout({ ...FLEET, ...change }, run)),
    change.loss !== undefined,
  );

describe('the accuracy gate, looked at after each report', () => {
  it('stops no rollout whose arms drift alike', () => {
    expect(outcomes({}).falselyStopped).toBeLessThanOrEqual(0.05);
  });

  it('stops a loss of ten points in one variant, and that variant alone', () => {
    const { stopped, falselyStopped, medianLabels } = outcomes({ loss: 0.1 });
    expect(stopped).toBeGreaterThanOrEqual(0.95);
    expect(falselyStopped).toBeLessThanOrEqual(0.05);
    expect(medianLabels!.treated).toBeLessThanOrEqual(900);
  });

  it('holds in a small fleet whose devices change by themselves', () => {
    const change = { treated: 20, controls: 8, correlation: 0.05, shiftCorrelation: 0.05 };
    expect(outcomes(change).falselyStopped).toBeLessThanOrEqual(0.2);
  });
});
