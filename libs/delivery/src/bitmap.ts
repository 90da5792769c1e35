import { DeliveryError } from './errors.js';

const RAW = 0;
const RUNS = 1;

/** Which of a fixed number of chunks are held. */
export class Bitmap {
  readonly #bits: Uint8Array;
  #count = 0;
  #firstMissing = 0;

  constructor(readonly size: number) {
    this.#bits = new Uint8Array(Math.ceil(size / 8));
  }

  /** How many are set. */
  get count(): number {
    return this.#count;
  }

  get full(): boolean {
    return this.#count === this.size;
  }

  has(index: number): boolean {
    return this.#contains(index) && ((this.#bits[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
  }

  /** Sets one bit; nothing happens outside the bitmap. */
  set(index: number): void {
    if (!this.#contains(index) || this.has(index)) return;
    this.#bits[index >> 3] = (this.#bits[index >> 3] ?? 0) | (1 << (index & 7));
    this.#count += 1;
  }

  /** Clears one bit. */
  clear(index: number): void {
    if (!this.has(index)) return;
    this.#bits[index >> 3] = (this.#bits[index >> 3] ?? 0) & ~(1 << (index & 7));
    this.#count -= 1;
    this.#firstMissing = Math.min(this.#firstMissing, index);
  }

  /** Indices that are not set, lowest first. */
  *missing(): Generator<number> {
    while (this.#firstMissing < this.size && this.has(this.#firstMissing)) this.#firstMissing += 1;
    for (let index = this.#firstMissing; index < this.size; index += 1) {
      if (!this.has(index)) yield index;
    }
  }

  /** Indices that are set, lowest first. */
  *held(): Generator<number> {
    for (let index = 0; index < this.size; index += 1) if (this.has(index)) yield index;
  }

  /**
   * A byte that names the form, then the shorter of two forms: the bits as they are, or the lengths
   * of alternating runs, missing first, each in base 128 with the low digits first.
   */
  serialise(): Uint8Array {
    const runs = [RUNS, ...this.#runs().flatMap(toBase128)];
    return runs.length <= this.#bits.byteLength
      ? Uint8Array.from(runs)
      : Uint8Array.from([RAW, ...this.#bits]);
  }

  /**
   * Reads what {@link serialise} wrote.
   * @param size chunks of the artifact, known from its manifest
   * @throws DeliveryError DELIVERY_BITMAP
   */
  static parse(bytes: Uint8Array, size: number): Bitmap {
    const bitmap = new Bitmap(size);
    const [form, ...body] = bytes;
    if (form === RAW && body.length === bitmap.#bits.byteLength) {
      for (let index = 0; index < body.length * 8; index += 1) {
        if (((body[index >> 3] ?? 0) & (1 << (index & 7))) === 0) continue;
        if (index >= size) throw unreadable(size);
        bitmap.set(index);
      }
      return bitmap;
    }
    if (form !== RUNS) throw unreadable(size);
    let at = 0;
    let isSet = false;
    for (const run of fromBase128(body, size)) {
      if (run > size - at) throw unreadable(size);
      if (isSet) for (let index = at; index < at + run; index += 1) bitmap.set(index);
      at += run;
      isSet = !isSet;
    }
    if (at !== size) throw unreadable(size);
    return bitmap;
  }

  #contains(index: number): boolean {
    return Number.isInteger(index) && index >= 0 && index < this.size;
  }

  #runs(): number[] {
    const runs: number[] = [];
    let isSet = false;
    let run = 0;
    for (let index = 0; index < this.size; index += 1) {
      if (this.has(index) !== isSet) {
        runs.push(run);
        run = 0;
        isSet = !isSet;
      }
      run += 1;
    }
    return [...runs, run];
  }
}

function toBase128(value: number): number[] {
  const digits: number[] = [];
  let rest = value;
  while (rest >= 128) {
    digits.push((rest % 128) + 128);
    rest = Math.floor(rest / 128);
  }
  return [...digits, rest];
}

function* fromBase128(bytes: readonly number[], size: number): Generator<number> {
  let value = 0;
  let weight = 1;
  for (const byte of bytes) {
    value += (byte % 128) * weight;
    if (value > size) throw unreadable(size);
    if (byte >= 128) {
      weight *= 128;
      continue;
    }
    yield value;
    value = 0;
    weight = 1;
  }
  if (weight !== 1) throw unreadable(size);
}

const unreadable = (size: number): DeliveryError =>
  new DeliveryError(
    'DELIVERY_BITMAP',
    `The stored bitmap is not one of ${size} chunks; start the download again.`,
  );
