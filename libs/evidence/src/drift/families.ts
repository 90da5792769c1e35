import { OUTERMOST_BIN } from '../sketch/grid.js';
import type { Histogram } from '../sketch/histogram.js';
import { CLASS_BUCKETS, type WindowSketch } from '../sketch/window-sketch.js';

/** What is watched for drift, each for itself. */
export const FAMILIES = ['classes', 'confidence', 'brightness', 'contrast', 'channels'] as const;
export type Family = (typeof FAMILIES)[number];

/** One histogram of a sketch. */
type Part = (sketch: WindowSketch) => Histogram | undefined;

/** Something that an item of a stream may be, by the bins of one histogram. */
export interface DriftEvent {
  readonly part: Part;
  readonly hits: (histogram: Histogram) => number;
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
  return histogram ? { hits: event.hits(histogram), of: histogram.total } : { hits: 0, of: 0 };
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
  if (seen.length === CLASS_BUCKETS) return own;
  const hits = (counted: Histogram): number =>
    counted.total - seen.reduce((sum, bin) => sum + counted.count(bin), 0);
  return [...own, { part, hits }];
}

const between = (part: Part, from: number, to: number): DriftEvent => ({
  part,
  hits: (histogram) => (from === to ? histogram.count(from) : histogram.between(from, to)),
});

/** The first bin up to which at least a share of the counts lies. */
function quantileBin(histogram: Histogram, share: number): number {
  let seen = 0;
  for (const [bin, count] of histogram.entries()) {
    seen += count;
    if (seen >= share * histogram.total) return bin;
  }
  return OUTERMOST_BIN;
}
