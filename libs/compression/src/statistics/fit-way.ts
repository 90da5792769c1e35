/** Columns up to which a Gram is formed however few rows there are. */
const SMALL_GRAM = 1536;

/** Columns up to which a Gram is formed in one piece: fits hold several of that size at once. */
const PLAIN_GRAM = 2048;

/** Columns up to which a Gram is formed at all: half of it and half of its factor take 650 MiB. */
const WIDEST_GRAM = 9216;

/** Most rows that stand for a layer whose Gram is not formed. */
export const MOST_ROWS = 1024;

/**
 * How a layer is fitted: by its Gram in one piece, by its Gram in tiles, or in the space that its rows
 * span. The last is exact, and the cheapest, where there are few rows to each column; beyond the widest
 * Gram it is fitted there to a sample of its rows, because memory is bounded and theirs does not grow
 * with the square of the width.
 */
export type FitWay = 'gram' | 'tiles' | 'rows';

/** @param rows that are planned @param groups of the layer, each of which has a Gram of its own */
export function fitWay(columns: number, rows: number, groups = 1): FitWay {
  if (columns <= SMALL_GRAM) return 'gram';
  if (rows <= MOST_ROWS && 2 * rows < columns) return 'rows';
  if (columns <= PLAIN_GRAM) return 'gram';
  return groups * columns ** 2 <= WIDEST_GRAM ** 2 ? 'tiles' : 'rows';
}
