import { encodeMessage, upTopic, type Telemetry } from '@espalier/protocol';

const RELEASE = 'rel-bench';
const VARIANTS = 4;
/** Of messages: the number within the run is what each is known by. */
const PREFIX = 'bench-message-';

/** Id of a device of the benchmark. */
export const deviceIdOf = (device: number): string => `bench-${String(device).padStart(5, '0')}`;

/** Message number of an id. */
export const sequenceOf = (messageId: string): number => Number(messageId.slice(PREFIX.length));

/** A telemetry message, with figures that vary a little. */
export function reportOf(
  device: number,
  sequence: number,
): { readonly id: string; readonly topic: string; readonly payload: Buffer } {
  const deviceId = deviceIdOf(device);
  const id = `${PREFIX}${sequence}`;
  const now = Date.now();
  const vary = 1 + (sequence % 17) / 100;
  const window: Telemetry = {
    generation: 1,
    running: {
      releaseId: RELEASE,
      variantId: `v-${device % VARIANTS}`,
      modelSha256: 'a'.repeat(64),
    },
    from: new Date(now - 5_000).toISOString(),
    to: new Date(now).toISOString(),
    inferences: 50,
    errors: 0,
    latencyMs: { p50: 10 * vary, p95: 14 * vary, max: 20 * vary, mean: 11 * vary },
    memory: { rssBytes: 80 * 2 ** 20, modelBytes: 12 * 2 ** 20 },
    accuracy: { labelled: 5, correct: 4 + (sequence % 2) },
    restarts: 0,
    emulatedSlowdown: null,
    durationMs: 5_000,
  };
  const bytes = encodeMessage({ id, sentAt: new Date(now).toISOString(), epoch: 0 }, window);
  return { id, topic: upTopic(deviceId, 'telemetry'), payload: Buffer.from(bytes) };
}
