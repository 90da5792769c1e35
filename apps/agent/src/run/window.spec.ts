import fc from 'fast-check';
import { TelemetryWindow } from './window.js';

const context = {
  running: {
    generation: 3,
    releaseId: 'r',
    variantId: 'v',
    modelSha256: 'a'.repeat(64),
    modelBytes: 9,
  },
  toMs: 2000,
  rssBytes: 100,
  restarts: 1,
  emulatedSlowdown: null,
};

describe('a telemetry window', () => {
  it('reports what was counted, and nothing that was not', () => {
    const empty = new TelemetryWindow(1000).close(context);
    expect(empty).toMatchObject({ inferences: 0, latencyMs: null, accuracy: null, errors: 0 });
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e4, noNaN: true }), { minLength: 1 }),
        (latencies) => {
          const window = new TelemetryWindow(1000);
          for (const latencyMs of latencies) window.add({ latencyMs, labelled: 2, correct: 1 });
          const { latencyMs, accuracy } = window.close(context);
          const share = (limit: number) =>
            latencies.filter((each) => each <= limit).length / latencies.length;
          expect(share(latencyMs!.p50)).toBeGreaterThanOrEqual(0.5);
          expect(share(latencyMs!.p95)).toBeGreaterThanOrEqual(0.95);
          expect(latencies).toContain(latencyMs!.p95);
          expect(latencyMs!.max).toBe(Math.max(...latencies));
          expect(accuracy).toEqual({ labelled: 2 * latencies.length, correct: latencies.length });
        },
      ),
    );
  });

  it('keeps a bounded number of latencies and still counts every inference', () => {
    const window = new TelemetryWindow(0);
    for (let at = 0; at < 25_000; at += 1) {
      window.add({ latencyMs: at < 15_000 ? 1000 : 1, labelled: 0, correct: 0 });
    }
    const { inferences, latencyMs } = window.close(context);
    expect(inferences).toBe(25_000);
    expect(latencyMs).toMatchObject({ p95: 1, max: 1000 });
  });
});
