import type { Random } from '@espalier/dataset';
import { StreamMemory, WindowSketch } from '@espalier/evidence';
import type { Seen } from './images.js';

/** Images of one class that follow each other. */
export const RUN_LENGTH = 20;
/** Items of a window: a minute at one inference a second. */
export const WINDOW_ITEMS = 60;

/** A device's stream: runs of images of one class each, the classes and the images by chance. */
export class DeviceStream {
  readonly #memory = new StreamMemory();
  #left = 0;
  #class = 0;

  constructor(private readonly random: Random) {}

  /** The sketch of the next minute. @param shares of the classes */
  window(images: readonly (readonly Seen[])[], shares: readonly number[]): WindowSketch {
    const sketch = new WindowSketch();
    for (let item = 0; item < WINDOW_ITEMS; item += 1) {
      if (this.#left === 0) {
        this.#class = this.#draw(shares);
        this.#left = RUN_LENGTH;
      }
      this.#left -= 1;
      const own = images[this.#class] ?? [];
      const seen = own[this.random.integer(own.length)];
      if (seen) sketch.add(seen.input, seen.output, this.#memory);
    }
    return sketch;
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

/** Images by their label. */
export function byLabel(images: readonly Seen[]): Seen[][] {
  const classes: Seen[][] = [];
  for (const seen of images) (classes[seen.label] ??= []).push(seen);
  return classes;
}

/** Even shares of so many classes, or one of them `factor` times as frequent. */
export function classShares(classes: number, favoured = -1, factor = 1): number[] {
  const rest = (1 - factor / classes) / (classes - 1);
  return Array.from({ length: classes }, (_, at) =>
    favoured < 0 ? 1 / classes : at === favoured ? factor / classes : rest,
  );
}
