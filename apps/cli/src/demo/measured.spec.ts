import type { Telemetry } from '@espalier/protocol';
import { accuracyOn, sumUp } from './measured.js';

const window = (variantId: string, p50: number, correct: number): Telemetry => ({
  generation: 1,
  running: { releaseId: 'r', variantId, modelSha256: 'a'.repeat(64) },
  from: new Date(0).toISOString(),
  to: new Date(1000).toISOString(),
  inferences: 10,
  errors: 0,
  latencyMs: { p50, p95: 2 * p50, max: 9, mean: 1 },
  memory: { rssBytes: 1, modelBytes: 1 },
  accuracy: { labelled: 10, correct },
  restarts: 0,
  emulatedSlowdown: null,
});

describe('what a device measured', () => {
  it('is summed over the windows of the variant alone', () => {
    const windows = [window('new', 1, 9), window('new', 3, 7), window('old', 8, 1)];
    expect(sumUp(windows, 'new')).toEqual({ p50: 2, p95: 4, labelled: 20, correct: 16 });
    expect(sumUp(windows, 'none')).toBeNull();
  });

  it('is compared with the trained model on the samples that were served, in their order', () => {
    const hits = [false, true, true, false];
    expect(accuracyOn(hits, 2)).toBe(1);
    expect(accuracyOn(hits, 4)).toBe(0.5);
    expect(accuracyOn(hits, 6)).toBe(4 / 6);
  });
});
