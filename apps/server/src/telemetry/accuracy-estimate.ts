import { estimatedAccuracy, type WindowSketch } from '@espalier/evidence';
import type { AccuracyEstimateView } from '@espalier/protocol';
import type { Reference } from './references.js';

/** Accuracy as estimated from confidence, over sketches of one or several variants. */
export class AccuracyEstimate {
  #items = 0;
  #right = 0;
  readonly #references = new Set<Reference['source']>();

  /** Adds a sketch of a variant; without a labelled reference nothing can be said of it. */
  add(sketch: WindowSketch | null, reference: Reference | undefined | null): void {
    if (!sketch || !reference || reference.threshold === null) return;
    const share = estimatedAccuracy(sketch, { logOdds: reference.threshold });
    if (share === null) return;
    const items = sketch.confidence.total;
    this.#items += items;
    this.#right += items * share;
    this.#references.add(reference.source);
  }

  merge(other: AccuracyEstimate): void {
    this.#items += other.#items;
    this.#right += other.#right;
    for (const source of other.#references) this.#references.add(source);
  }

  shown(): AccuracyEstimateView | null {
    if (this.#items === 0) return null;
    return {
      value: this.#right / this.#items,
      items: this.#items,
      source: 'confidence',
      references: [...this.#references].sort(),
    };
  }
}
