import { type Segment } from './segment.js';

/** A float32 tensor that is another one times a number: bias scales are weight scales so. */
export interface Multiple {
  /** How many segments back the other one is. */
  readonly back: number;
  /** A float32. */
  readonly factor: number;
}

/** How far back another tensor is looked for. */
const REACH = 64;

/**
 * Finds for each segment an earlier one that it is an exact multiple of, in float32 arithmetic.
 * @returns one entry a segment
 */
export function findMultiples(
  file: DataView,
  segments: readonly Segment[],
): (Multiple | undefined)[] {
  return segments.map((segment, at) => {
    if (segment.type !== 'float32') return undefined;
    for (let back = 1; back <= Math.min(REACH, at); back++) {
      const other = segments[at - back];
      if (other?.type !== 'float32' || other.count !== segment.count) continue;
      const factor = factorBetween(file, other, segment);
      if (factor !== undefined) return { back, factor };
    }
    return undefined;
  });
}

/** Fills a segment with another one's elements times the factor. */
export function writeMultiple(file: DataView, from: Segment, to: Segment, factor: number): void {
  for (let i = 0; i < to.count; i++) {
    const value = factor * file.getFloat32(from.offset + 4 * i, true);
    file.setFloat32(to.offset + 4 * i, value, true);
  }
}

function factorBetween(file: DataView, from: Segment, to: Segment): number | undefined {
  let largest = 0;
  for (let i = 1; i < from.count; i++) {
    if (Math.abs(elementOf(file, from, i)) > Math.abs(elementOf(file, from, largest))) largest = i;
  }
  const guess = Math.fround(elementOf(file, to, largest) / elementOf(file, from, largest));
  if (!Number.isFinite(guess) || guess === 0) return undefined;
  // The quotient is rounded twice, so the factor may be a neighbour of it.
  const bits = new Uint32Array(new Float32Array([guess]).buffer)[0] ?? 0;
  for (const step of [0, 1, -1, 2, -2]) {
    const factor = new Float32Array(Uint32Array.of(bits + step).buffer)[0] ?? 0;
    if (isMultiple(file, from, to, factor)) return factor;
  }
  return undefined;
}

function isMultiple(file: DataView, from: Segment, to: Segment, factor: number): boolean {
  const value = new DataView(new ArrayBuffer(4));
  for (let i = 0; i < to.count; i++) {
    value.setFloat32(0, factor * elementOf(file, from, i));
    if (value.getUint32(0) !== file.getUint32(to.offset + 4 * i, true)) return false;
  }
  return true;
}

const elementOf = (file: DataView, { offset }: Segment, i: number): number =>
  file.getFloat32(offset + 4 * i, true);
