import type { Random } from '@espalier/dataset';
import { type DriftBets, StreamMemory, WindowSketch } from '@espalier/evidence';
import type { Seen } from './images.js';

/** Images of one class that follow each other. */
export const RUN_LENGTH = 20;
/** Items of a window: a minute at one inference a second. */
export const WINDOW_ITEMS = 60;
export const WINDOW_DAYS = WINDOW_ITEMS / 86_400;

/** An image with all that a watch takes of it, worked out once for all streams that show it. */
export interface Item {
  readonly seen: Seen;
  /** Bin of its brightness. */
  readonly level: number;
  /** Where it counts among the hits of {@link DriftBets.count}. */
  readonly hits: Uint16Array;
}

/** A minute of a stream as a watch takes it; it holds until the next one is asked for. */
export interface Minute {
  readonly counted: Float64Array;
  /** Its classes, and how its items hang together; what else there is was counted. */
  readonly sketch: WindowSketch;
}

/** Images by their label, as streams show them. */
export function itemsOf(bets: DriftBets, images: readonly Seen[]): Item[][] {
  const classes: Item[][] = [];
  for (const seen of images) {
    const sketch = new WindowSketch();
    sketch.add(seen.input, seen.output, new StreamMemory());
    const [[level] = [0]] = sketch.brightness.entries();
    const hits: number[] = [];
    bets.count(sketch).forEach((count, place) => {
      if (place % 2 === 0 && count > 0) hits.push(place);
    });
    (classes[seen.label] ??= []).push({ seen, level, hits: Uint16Array.from(hits) });
  }
  return classes;
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
  minute(images: readonly (readonly Item[])[], shares: readonly number[]): Minute {
    const [sketch, counted] = [this.#sketch, this.#counted];
    // Emptied by taking it from itself: to make another takes as long as all that follows.
    sketch.dependence.merge(sketch.dependence, -1);
    sketch.classes.forEach((bucket, count) => sketch.classes.add(bucket, -count));
    counted.fill(0);
    for (let at = 0; at < WINDOW_ITEMS; at += 1) {
      const { seen, level, hits } = this.next(images, shares);
      for (let hit = 0; hit < hits.length; hit += 1) {
        const place = hits[hit] ?? 0;
        counted[place] = (counted[place] ?? 0) + 1;
      }
      sketch.classes.add(seen.output.predicted);
      sketch.dependence.add(this.#memory, seen.output.predicted, level);
    }
    for (let place = 1; place < counted.length; place += 2) counted[place] = WINDOW_ITEMS;
    return { counted, sketch };
  }

  /** The next image. */
  next(images: readonly (readonly Item[])[], shares: readonly number[]): Item {
    if (this.#left === 0) {
      this.#class = this.#draw(shares);
      this.#left = RUN_LENGTH;
    }
    this.#left -= 1;
    const own = images[this.#class] ?? [];
    const item = own[this.random.integer(own.length)];
    if (!item) throw new RangeError(`There is no image of class ${this.#class}.`);
    return item;
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
