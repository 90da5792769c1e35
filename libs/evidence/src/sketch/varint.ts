import { EvidenceError } from '../errors.js';

/** Whole numbers written in groups of seven bits, the low ones first (LEB128). */
export class VarintWriter {
  readonly #bytes: number[] = [];

  /** @param value from 0 to 2^53 - 1 */
  unsigned(value: number): void {
    let rest = value;
    while (rest >= 128) {
      this.#bytes.push((rest % 128) + 128);
      rest = Math.floor(rest / 128);
    }
    this.#bytes.push(rest);
  }

  /** Small magnitudes of either sign stay short: 0, -1, 1, -2… become 0, 1, 2, 3…. */
  signed(value: number): void {
    this.unsigned(value < 0 ? -2 * value - 1 : 2 * value);
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** Reads what {@link VarintWriter} wrote. @throws EvidenceError SKETCH_INVALID */
export class VarintReader {
  #at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  unsigned(most = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      const byte = this.bytes[this.#at];
      if (byte === undefined) throw invalid('it ends too early');
      this.#at += 1;
      value += (byte % 128) * scale;
      if (byte < 128) {
        if (value > most) throw invalid(`it holds ${value} where at most ${most} can stand`);
        return value;
      }
    }
    throw invalid('a number in it is too long');
  }

  signed(): number {
    const value = this.unsigned();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  /** @throws EvidenceError when bytes are left */
  end(): void {
    if (this.#at !== this.bytes.length) throw invalid('something follows its end');
  }
}

/** A sketch that cannot be read. @param why as the end of a sentence */
export const invalid = (why: string): EvidenceError =>
  new EvidenceError('SKETCH_INVALID', `The sketch cannot be read: ${why}.`);
