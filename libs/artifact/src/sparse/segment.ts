import { ArtifactError } from '../errors.js';

/** Element types that are modelled, by the number that stands for them in the container. */
export const ELEMENT_TYPES = [
  'int8',
  'uint8',
  'int16',
  'int32',
  'float16',
  'bfloat16',
  'float32',
] as const;
export type ElementType = (typeof ELEMENT_TYPES)[number];

/** Bytes of one element of each type. */
export const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = {
  int8: 1,
  uint8: 1,
  int16: 2,
  int32: 4,
  float16: 2,
  bfloat16: 2,
  float32: 4,
};

/** A run of little-endian numbers in a file: what the encoder is told of a tensor's data. */
export interface Segment {
  /** Byte at which it begins. */
  readonly offset: number;
  readonly type: ElementType;
  /** Elements. */
  readonly count: number;
  /** Elements of one row, such as the weights of one output channel; 1 to `count`. */
  readonly rowLength: number;
}

/** Bytes that a segment takes in the file. */
export const segmentBytes = (segment: Pick<Segment, 'type' | 'count'>): number =>
  segment.count * ELEMENT_BYTES[segment.type];

/**
 * Segments in the order of the file.
 * @throws ArtifactError ARTIFACT_SEGMENTS when they overlap or leave the file
 */
export function orderSegments(segments: readonly Segment[], length: number): Segment[] {
  const ordered = segments.filter(({ count }) => count > 0).sort((a, b) => a.offset - b.offset);
  let end = 0;
  for (const segment of ordered) {
    const { offset, count, rowLength } = segment;
    const whole = [offset, count, rowLength].every(Number.isSafeInteger);
    if (!whole || offset < end || rowLength < 1 || rowLength > count) {
      throw new ArtifactError(
        'ARTIFACT_SEGMENTS',
        `The segment at byte ${offset} of ${count} ${segment.type} in rows of ${rowLength} is no whole run after byte ${end}.`,
      );
    }
    end = offset + segmentBytes(segment);
  }
  if (end > length) {
    throw new ArtifactError(
      'ARTIFACT_SEGMENTS',
      `The last segment ends at byte ${end}; the file has ${length}.`,
    );
  }
  return ordered;
}
