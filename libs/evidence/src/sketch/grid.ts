/**
 * The one grid that all histograms of values share, so that any two can be added: even steps of 1/16
 * about zero that widen into a quarter of the value far from it. It needs no knowledge of the values'
 * range: an input between -2 and 2, a pixel between 0 and 255 and a logit all get bins that are fine
 * against how they vary.
 */
const LINEAR = 0.25;
const BINS_PER_UNIT = 4;

/** Bins lie between plus and minus this number; values beyond the outermost count into it. */
export const OUTERMOST_BIN = 63;

/** The bin of a value; what is not a number counts into the outermost. */
export function binOf(value: number): number {
  const bin = Math.floor(Math.asinh(value / LINEAR) * BINS_PER_UNIT);
  return Number.isNaN(bin) ? OUTERMOST_BIN : Math.max(-OUTERMOST_BIN, Math.min(OUTERMOST_BIN, bin));
}

/** The lower edge of a bin; `bin + 1` gives its upper one. */
export const edgeOf = (bin: number): number => Math.sinh(bin / BINS_PER_UNIT) * LINEAR;
