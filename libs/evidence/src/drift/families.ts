import { OUTERMOST_BIN } from '../sketch/grid.js';
import type { Histogram } from '../sketch/histogram.js';
import { CLASS_BUCKETS, type WindowSketch } from '../sketch/window-sketch.js';

/** What is watched for drift, each for itself. */
export const FAMILIES = ['classes', 'confidence', 'brightness', 'contrast', 'channels'] as const;
export type Family = (typeof FAMILIES)[number];

/** Evidence by what it is of. */
export class FamilySums {
  readonly #sums = new Float64Array(FAMILIES.length);

  /** @param family its place in {@link FAMILIES} */
  add(family: number, evidence: number): void {
    this.#sums[family] = (this.#sums[family] ?? 0) + evidence;
  }

  get total(): number {
    return this.#sums.reduce((sum, evidence) => sum + evidence, 0);
  }

  /** What most of it is of; null while there is none. */
  get largest(): Family | null {
    const most = Math.max(...this.#sums);
    return most > 0 ? (FAMILIES[this.#sums.indexOf(most)] ?? null) : null;
  }
}

/** One histogram of a sketch. */
type Part = (sketch: WindowSketch) => Histogram | undefined;

/** Something that an item of a stream may be, by the bins of one histogram. */
export interface DriftEvent {
  readonly part: Part;
  /** Bins from the first to the second, both among them, or all bins but these. */
  readonly bins: readonly [from: number, to: number] | { readonly not: readonly number[] };
}

/** Shares of the reference at which values are cut: tails of a tenth and a quarter, the middle. */
const CUTS = [0.1, 0.25, 0.5, 0.75, 0.9];
/** Equal parts of the reference that the stability index compares. */
const PARTS = 10;

/** The histograms of a family. */
function partsOf(family: Family, reference: WindowSketch): Part[] {
  if (family === 'channels')
    return reference.channels.map(
      (_, at) =>
        ({ channels }) =>
          channels[at],
    );
  return [(sketch) => sketch[family]];
}

/** How many items of a sketch are in an event, and how many were counted. */
export function countIn(sketch: WindowSketch, event: DriftEvent): { hits: number; of: number } {
  const histogram = event.part(sketch);
  return histogram ? { hits: hitsOf(histogram, event), of: histogram.total } : { hits: 0, of: 0 };
}

function hitsOf(histogram: Histogram, { bins }: DriftEvent): number {
  if ('not' in bins) {
    return histogram.total - bins.not.reduce((sum, bin) => sum + histogram.count(bin), 0);
  }
  const [from, to] = bins;
  return from === to ? histogram.count(from) : histogram.between(from, to);
}

/**
 * {@link countIn} of many events at once: writes hits and items of each, two numbers an event. The
 * events of one part stand together, and each histogram is gone through once.
 */
export function countAll(sketch: WindowSketch, events: readonly DriftEvent[]): Float64Array {
  const counted = new Float64Array(2 * events.length);
  const upTo = new Float64Array(2 * OUTERMOST_BIN + 2);
  let part: Part | null = null;
  let histogram: Histogram | undefined;
  for (let at = 0; at < events.length; at += 1) {
    const event = events[at];
    if (!event) break;
    if (event.part !== part) {
      ({ part } = event);
      histogram = part(sketch);
      if (histogram) addUp(histogram, upTo);
    }
    if (!histogram) continue;
    const { bins } = event;
    counted[2 * at + 1] = histogram.total;
    counted[2 * at] =
      'not' in bins
        ? hitsOf(histogram, event)
        : (upTo[bins[1] + OUTERMOST_BIN + 1] ?? 0) - (upTo[bins[0] + OUTERMOST_BIN] ?? 0);
  }
  return counted;
}

/** Counts below each bin, from the outermost on. */
function addUp(histogram: Histogram, upTo: Float64Array): void {
  upTo.fill(0);
  histogram.forEach((bin, count) => {
    upTo[bin + OUTERMOST_BIN + 1] = count;
  });
  for (let at = 1; at < upTo.length; at += 1) upTo[at] = (upTo[at] ?? 0) + (upTo[at - 1] ?? 0);
}

/**
 * The events of a family whose shares are watched: each class that the reference has, all others
 * together, or the tails and halves of a value as the reference has them.
 */
export function eventsOf(family: Family, reference: WindowSketch): DriftEvent[] {
  return partsOf(family, reference).flatMap((part) => {
    const histogram = part(reference);
    if (!histogram || histogram.total === 0) return [];
    if (family === 'classes') return classesIn(part, histogram);
    return CUTS.flatMap((share) => {
      const bin = quantileBin(histogram, share);
      return [
        ...(share <= 0.5 ? [between(part, -OUTERMOST_BIN, bin)] : []),
        ...(share >= 0.5 ? [between(part, bin, OUTERMOST_BIN)] : []),
      ];
    });
  });
}

/** The events that partition a family's histograms, for the stability index: classes, or tenths. */
export function partitionsOf(family: Family, reference: WindowSketch): DriftEvent[][] {
  return partsOf(family, reference).flatMap((part) => {
    const histogram = part(reference);
    if (!histogram || histogram.total === 0) return [];
    if (family === 'classes') return [classesIn(part, histogram)];
    const ends = new Set<number>();
    for (let at = 1; at < PARTS; at += 1) ends.add(quantileBin(histogram, at / PARTS));
    let from = -OUTERMOST_BIN;
    const tenths: DriftEvent[] = [];
    for (const to of [...ends, OUTERMOST_BIN]) {
      tenths.push(between(part, from, to));
      from = to + 1;
    }
    return [tenths];
  });
}

function classesIn(part: Part, histogram: Histogram): DriftEvent[] {
  const seen = histogram.entries().map(([bin]) => bin);
  const own = seen.map((bin) => between(part, bin, bin));
  return seen.length === CLASS_BUCKETS ? own : [...own, { part, bins: { not: seen } }];
}

const between = (part: Part, from: number, to: number): DriftEvent => ({ part, bins: [from, to] });

/** The first bin up to which at least a share of the counts lies. */
function quantileBin(histogram: Histogram, share: number): number {
  let seen = 0;
  for (const [bin, count] of histogram.entries()) {
    seen += count;
    if (seen >= share * histogram.total) return bin;
  }
  return OUTERMOST_BIN;
}
