/** A source of randomness, as `seededRandom` of libs/dataset. */
export interface Uniform {
  /** Uniform in [0, 1). */
  next(): number;
}

export interface Draw {
  /** A slot has ended: what was kept of it last is its sample. */
  readonly closes: boolean;
  /** This item takes the place of what was kept of its slot so far. */
  readonly keeps: boolean;
}

/**
 * Draws items of a stream: each with the same chance, and of those that were drawn within a slot of
 * time one, each with the same chance (reservoir sampling: Vitter 1985, algorithm R with one place).
 * What an item is, what came before it and where in its slot it stands have no influence, so runs of
 * one class are drawn as often as they are there. Under the cap of one a slot, slots count alike.
 */
export class SlotSampler {
  #slot: number | null = null;
  #drawn = 0;

  constructor(private readonly random: Uniform) {}

  /**
   * Takes the next item.
   * @param nowMs by a clock that is never set @param share of all items, from 0 to 1
   */
  draw(nowMs: number, share: number, slotMs: number): Draw {
    const slot = Math.floor(nowMs / slotMs);
    const closes = slot !== this.#slot && this.#drawn > 0;
    if (slot !== this.#slot) this.#drawn = 0;
    this.#slot = slot;
    if (this.random.next() >= share) return { closes, keeps: false };
    this.#drawn += 1;
    return { closes, keeps: this.random.next() * this.#drawn < 1 };
  }

  /** Forgets the slot that has begun. */
  reset(): void {
    this.#slot = null;
    this.#drawn = 0;
  }
}
