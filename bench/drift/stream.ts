import type { Random } from '@espalier/dataset';
import { type DriftBets, StreamMemory, WindowSketch } from '@espalier/evidence';
import type { Seen } from './images.js';

/** Images of one class that follow each other. */
export const RUN_LENGTH = 20;
/** Items of a window: a minute at one inference a second. */
export const WINDOW_ITEMS = 60;
export const WINDOW_DAYS = WINDOW_ITEMS / 86_400;

/**
 * Images of one class, and what a watch takes of each, worked out once for all streams that show it:
 * class, bin of brightness, and the events of the bets that it is in, in bytes that stay in a cache.
 */
export interface Deck {
  readonly seen: readonly Seen[];
  /** Of each image so many bytes: class, bin over the least, number of events, events. */
  readonly bytes: Uint8Array;
  readonly stride: number;
}

const NO_IMAGES: Deck = { seen: [], bytes: new Uint8Array(), stride: 0 };
/** Bins are whole numbers between plus and minus this. */
const OUTERMOST_BIN = 63;

/** A minute of a stream as a watch takes it; it holds until the next one is asked for. */
export interface Minute {
  readonly counted: Float64Array;
  /** Its classes, and how its items hang together; what else there is was counted. */
  readonly sketch: WindowSketch;
}

/** Images by their label, as streams show them. */
export function decksOf(bets: DriftBets, images: readonly Seen[]): Deck[] {
  const classes: Seen[][] = [];
  for (const seen of images) (classes[seen.label] ??= []).push(seen);
  return classes.map((seen) => {
    const rows = seen.map((one) => bytesOf(bets, one));
    const stride = Math.max(...rows.map(({ length }) => length));
    const bytes = new Uint8Array(stride * rows.length);
    rows.forEach((row, at) => bytes.set(row, at * stride));
    return { seen, bytes, stride };
  });
}

function bytesOf(bets: DriftBets, { input, output }: Seen): number[] {
  const sketch = new WindowSketch();
  sketch.add(input, output, new StreamMemory());
  const [[level] = [0]] = sketch.brightness.entries();
  const events: number[] = [];
  bets.count(sketch).forEach((count, place) => {
    if (place % 2 === 0 && count > 0) events.push(place / 2);
  });
  return [output.predicted, level + OUTERMOST_BIN, events.length, ...events];
}

/** A device's stream: runs of images of one class each, the classes and the images by chance. */
export class DeviceStream {
  readonly #memory = new StreamMemory();
  readonly #counted: Float64Array;
  readonly #sketch = new WindowSketch();
  #left = 0;
  #class = 0;

  constructor(
    bets: DriftBets,
    private readonly random: Random,
  ) {
    this.#counted = bets.count(this.#sketch);
  }

  /**
   * The next minute. What bets count is added up image by image, which is what they count of the
   * minute's sketch, in a tenth of the time.
   * @param shares of the classes
   */
  minute(decks: readonly Deck[], shares: readonly number[]): Minute {
    const [sketch, counted] = [this.#sketch, this.#counted];
    // Emptied by taking it from itself: to make another takes as long as all that follows.
    sketch.dependence.merge(sketch.dependence, -1);
    sketch.classes.forEach((bucket, count) => sketch.classes.add(bucket, -count));
    counted.fill(0);
    for (let item = 0; item < WINDOW_ITEMS; item += 1) {
      const { bytes, stride, at } = this.#next(decks, shares);
      const first = at * stride + 3;
      const category = bytes[first - 3] ?? 0;
      const level = (bytes[first - 2] ?? 0) - OUTERMOST_BIN;
      const end = first + (bytes[first - 1] ?? 0);
      for (let place = first; place < end; place += 1) {
        const hits = 2 * (bytes[place] ?? 0);
        counted[hits] = (counted[hits] ?? 0) + 1;
      }
      sketch.classes.add(category);
      sketch.dependence.add(this.#memory, category, level);
    }
    for (let place = 1; place < counted.length; place += 2) counted[place] = WINDOW_ITEMS;
    return { counted, sketch };
  }

  /** The next image by itself. */
  next(decks: readonly Deck[], shares: readonly number[]): Seen | undefined {
    const { seen, at } = this.#next(decks, shares);
    return seen[at];
  }

  #next(decks: readonly Deck[], shares: readonly number[]): Deck & { readonly at: number } {
    if (this.#left === 0) {
      this.#class = this.#draw(shares);
      this.#left = RUN_LENGTH;
    }
    this.#left -= 1;
    const { seen, bytes, stride } = decks[this.#class] ?? NO_IMAGES;
    return { seen, bytes, stride, at: this.random.integer(seen.length) };
  }

  #draw(shares: readonly number[]): number {
    let rest = this.random.next();
    for (const [at, share] of shares.entries()) {
      rest -= share;
      if (rest < 0) return at;
    }
    return shares.length - 1;
  }
}

/** Even shares of so many classes, or one of them `factor` times as frequent. */
export function classShares(classes: number, favoured = -1, factor = 1): number[] {
  const rest = (1 - factor / classes) / (classes - 1);
  return Array.from({ length: classes }, (_, at) =>
    favoured < 0 ? 1 / classes : at === favoured ? factor / classes : rest,
  );
}
