import fc from 'fast-check';
import { decodeSketch, StreamMemory } from '@espalier/evidence';
import { encodeMessage, upTopic } from '@espalier/protocol';
import { randomUUID } from 'node:crypto';
import { TelemetryWindow } from './window.js';

const context = {
  running: {
    generation: 3,
    releaseId: 'r',
    variantId: 'v',
    modelSha256: 'a'.repeat(64),
    modelBytes: 9,
  },
  end: { wallMs: 2000, steadyMs: 61_000 },
  rssBytes: 100,
  restarts: 1,
  emulatedSlowdown: null,
};

const opened = (wallMs: number) =>
  new TelemetryWindow({ wallMs, steadyMs: 1000 }, new StreamMemory());

describe('a telemetry window', () => {
  it('reports what was counted, and nothing that was not', () => {
    const empty = opened(1000).close(context);
    expect(empty).toMatchObject({ inferences: 0, latencyMs: null, accuracy: null, errors: 0 });
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0, max: 1e4, noNaN: true }), { minLength: 1 }),
        (latencies) => {
          const window = opened(1000);
          for (const latencyMs of latencies)
            window.add({ latencyMs, labelled: 2, correct: 1, seen: [] });
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
      { seed: 7 },
    );
  });

  it('keeps a bounded number of latencies and still counts every inference', () => {
    const window = opened(0);
    for (let at = 0; at < 25_000; at += 1) {
      window.add({ latencyMs: at < 15_000 ? 1000 : 1, labelled: 0, correct: 0, seen: [] });
    }
    const { inferences, latencyMs } = window.close(context);
    expect(inferences).toBe(25_000);
    expect(latencyMs).toMatchObject({ p95: 1, max: 1000 });
  });

  it('of a minute of a model with a thousand classes takes under 2 KB on the wire', () => {
    // One a second as is usual, and as many as a fast device manages.
    for (const inferences of [60, 60_000]) {
      const window = opened(0);
      for (let at = 0; at < inferences; at += 1) {
        const spread = (step: number) => 3 * Math.sin(at * step);
        const input = {
          channelMeans: [spread(1.1), spread(1.2), spread(1.3)],
          brightness: spread(1.4),
          contrast: 1 + spread(1.5) / 4,
        };
        const output = { predicted: (at * 7919) % 1000, confidence: 2 * spread(1.6) };
        const latencyMs = 20 * Math.exp(spread(1.7) / 6);
        window.add({ latencyMs, labelled: 1, correct: at % 2, seen: [{ input, output }] });
      }
      const telemetry = window.close(context);
      const envelope = { id: randomUUID(), sentAt: telemetry.to, epoch: 1, heldMs: 86_400_000 };
      const payload = encodeMessage(envelope, telemetry);
      const topic = upTopic('dev-0123456789abcdef', 'telemetry');
      // MQTT's own header, and the message's number, are seven bytes at most.
      expect(payload.byteLength + topic.length + 7).toBeLessThan(2048);
      expect(telemetry.durationMs).toBe(60_000);
      expect(decodeSketch(telemetry.sketch!).classes.total).toBe(inferences);
    }
  });
});
