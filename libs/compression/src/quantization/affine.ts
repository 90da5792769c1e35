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
 * The scale for a range: widened to hold zero, and moved by up to half a step so that zero is met
 * exactly.
 */
export function scaleFor(lower: number, upper: number): AffineScale {
  const low = Math.min(lower, 0);
  const high = Math.max(upper, 0);
  const scale = Math.fround(Math.max((high - low) / LEVELS, LEAST_SCALE));
  const zeroPoint = Math.min(Math.max(Math.round(-low / scale), 0), LEVELS);
  return { scale, zeroPoint };
}

/** The reals that 0 and 255 stand for. */
export function rangeOf({ scale, zeroPoint }: AffineScale): [number, number] {
  return [-zeroPoint * scale, (LEVELS - zeroPoint) * scale];
}
