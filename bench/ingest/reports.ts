import { seededRandom } from '@espalier/dataset';
import { encodeSketch, StreamMemory, WindowSketch } from '@espalier/evidence';
import { encodeMessage, upTopic, type Telemetry } from '@espalier/protocol';

const RELEASE = 'rel-bench';
const VARIANTS = 4;
/** Of messages: the number within the run is what each is known by. */
const PREFIX = 'bench-message-';
const INFERENCES = 50;
const CLASSES = 10;
/** Different sketches, each used by many reports in turn. */
const SKETCHES = 500;

/** Id of a device of the benchmark. */
export const deviceIdOf = (device: number): string => `bench-${String(device).padStart(5, '0')}`;

/** Message number of an id. */
export const sequenceOf = (messageId: string): number => Number(messageId.slice(PREFIX.length));

/** Sketches of windows of images in three channels and ten classes, as agents make them. */
export const sketches: readonly string[] = makeSketches();

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
    inferences: INFERENCES,
    errors: 0,
    latencyMs: { p50: 10 * vary, p95: 14 * vary, max: 20 * vary, mean: 11 * vary },
    memory: { rssBytes: 80 * 2 ** 20, modelBytes: 12 * 2 ** 20 },
    accuracy: { labelled: 5, correct: 4 + (sequence % 2) },
    restarts: 0,
    emulatedSlowdown: null,
    durationMs: 5_000,
    sketch: sketches[sequence % SKETCHES] ?? '',
  };
  const bytes = encodeMessage({ id, sentAt: new Date(now).toISOString(), epoch: 0 }, window);
  return { id, topic: upTopic(deviceId, 'telemetry'), payload: Buffer.from(bytes) };
}

/** The variants that the devices of the benchmark run. */
export const variantIds = Array.from({ length: VARIANTS }, (_, at) => `v-${at}`);

function makeSketches(): string[] {
  const random = seededRandom(1);
  const spread = (): number => random.next() + random.next() + random.next() - 1.5;
  const memory = new StreamMemory();
  return Array.from({ length: SKETCHES }, () => {
    const sketch = new WindowSketch();
    for (let item = 0; item < INFERENCES; item += 1) {
      const brightness = spread();
      const channelMeans = [0, 1, 2].map(() => brightness + spread() / 8);
      const output = { predicted: random.integer(CLASSES), confidence: 4 + 2 * spread() };
      sketch.add({ channelMeans, brightness, contrast: 1 + spread() / 4 }, output, memory);
      sketch.latencyMs.add(11 * Math.exp(spread() / 4));
    }
    return encodeSketch(sketch);
  });
}
