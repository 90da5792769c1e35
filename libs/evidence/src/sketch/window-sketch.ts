import { Dependence, type StreamMemory } from './dependence.js';
import { MOST_CHANNELS, type InputFeatures, type OutputFeatures } from './features.js';
import { binOf, OUTERMOST_BIN } from './grid.js';
import { Histogram } from './histogram.js';
import { QuantileDigest } from './quantile-digest.js';
import { invalid, VarintReader, VarintWriter } from './varint.js';

const VERSION = 1;
/** Classes are counted in at most so many buckets; more classes share them by a fixed hash. */
export const CLASS_BUCKETS = 64;

/** The bucket of a class: its own number where there are few, the same on every device. */
export function bucketOf(classId: number): number {
  if (classId < CLASS_BUCKETS) return classId;
  // Knuth's multiplicative hash.
  return Math.imul(classId, 0x9e3779b1) >>> 26;
}

/**
 * What a window of serving looked like, in a few hundred bytes: histograms of inputs and outputs, a
 * quantile digest of latencies, and the sums that tell how much its items hang together. Any two can
 * be merged, in any order, and give what one over both would have given.
 */
export class WindowSketch {
  readonly channels: Histogram[] = [];
  readonly brightness: Histogram = new Histogram();
  readonly contrast: Histogram = new Histogram();
  readonly classes: Histogram = new Histogram();
  readonly confidence: Histogram = new Histogram();
  readonly latencyMs: QuantileDigest;
  readonly dependence: Dependence;

  constructor(latencyMs = QuantileDigest.empty(), dependence = new Dependence()) {
    this.latencyMs = latencyMs;
    this.dependence = dependence;
  }

  /** Counts an item of a stream. @param output null when the model does not classify */
  add(input: InputFeatures, output: OutputFeatures | null, memory: StreamMemory): void {
    const level = binOf(input.brightness);
    this.brightness.add(level);
    this.contrast.add(binOf(input.contrast));
    input.channelMeans.slice(0, MOST_CHANNELS).forEach((mean, channel) => {
      (this.channels[channel] ??= new Histogram()).add(binOf(mean));
    });
    if (output) {
      this.classes.add(bucketOf(output.predicted));
      this.confidence.add(binOf(output.confidence));
    }
    this.dependence.add(memory, output?.predicted ?? 0, level);
  }

  merge(other: WindowSketch): void {
    other.channels.forEach((channel, at) => {
      (this.channels[at] ??= new Histogram()).merge(channel);
    });
    this.brightness.merge(other.brightness);
    this.contrast.merge(other.contrast);
    this.classes.merge(other.classes);
    this.confidence.merge(other.confidence);
    this.latencyMs.merge(other.latencyMs);
    this.dependence.merge(other.dependence);
  }
}

/** A sketch as it is sent and kept: base64. Equal sketches have equal texts. */
export function encodeSketch(sketch: WindowSketch): string {
  const out = new VarintWriter();
  out.unsigned(VERSION);
  out.unsigned(sketch.channels.length);
  for (const channel of sketch.channels) channel.write(out);
  for (const part of [sketch.brightness, sketch.contrast, sketch.classes, sketch.confidence]) {
    part.write(out);
  }
  sketch.latencyMs.write(out);
  sketch.dependence.write(out);
  return Buffer.from(out.finish()).toString('base64');
}

/** Reads {@link encodeSketch}. @throws EvidenceError SKETCH_INVALID */
export function decodeSketch(text: string): WindowSketch {
  const input = new VarintReader(Buffer.from(text, 'base64'));
  if (input.unsigned() !== VERSION) throw invalid('it is of another version');
  const onGrid = (): Histogram => Histogram.read(input, -OUTERMOST_BIN, OUTERMOST_BIN);
  const channels = Array.from({ length: input.unsigned(MOST_CHANNELS) }, onGrid);
  const [brightness, contrast] = [onGrid(), onGrid()];
  const classes = Histogram.read(input, 0, CLASS_BUCKETS - 1);
  const confidence = onGrid();
  const sketch = new WindowSketch(QuantileDigest.read(input), Dependence.read(input));
  input.end();
  channels.forEach((channel) => sketch.channels.push(channel));
  sketch.brightness.merge(brightness);
  sketch.contrast.merge(contrast);
  sketch.classes.merge(classes);
  sketch.confidence.merge(confidence);
  return sketch;
}
