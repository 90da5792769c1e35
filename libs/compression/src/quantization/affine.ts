/** How a real number becomes uint8: `q = clamp(round(x / scale) + zeroPoint, 0, 255)`. */
export interface AffineScale {
  /** A float32 value over 0. */
  readonly scale: number;
  /** 0 to 255. */
  readonly zeroPoint: number;
}

const LEVELS = 255;
/** Below this the products of scales would leave what float32 holds with full precision. */
const LEAST_SCALE = 1e-8;

/**
 * The scale for a range; the range is widened to hold zero, and moved by less than a step so that
 * zero is met exactly.
 */
export function scaleFor(lower: number, upper: number): AffineScale {
  const low = Math.min(lower, 0);
  const high = Math.max(upper, 0);
  const zeroPoint = Math.round((-low * LEVELS) / Math.max(high - low, 1e-30));
  // The step must reach both ends with the zero point rounded.
  const below = zeroPoint > 0 ? -low / zeroPoint : 0;
  const above = zeroPoint < LEVELS ? high / (LEVELS - zeroPoint) : 0;
  const scale = Math.fround(Math.max(below, above, LEAST_SCALE));
  return { scale, zeroPoint };
}

/** The reals that 0 and 255 stand for. */
export function rangeOf({ scale, zeroPoint }: AffineScale): [number, number] {
  return [-zeroPoint * scale, (LEVELS - zeroPoint) * scale];
}
