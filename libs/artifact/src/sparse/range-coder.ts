/**
 * Codes bits by the probability of a one. One interface for both ends, so that one model serves
 * both: the encoder takes `bit` and gives it back, the decoder ignores it and gives the bit coded.
 * @param one probability that the bit is 1, out of 65,536, from 1 to 65,535
 */
export interface BitCoder {
  code(bit: number, one: number): number;
}

/**
 * A carry-less binary arithmetic coder on a 32-bit interval [low, high]: bytes that both bounds
 * share are shifted out at once. (After Mahoney's lpaq, with 16-bit probabilities.)
 */
export class RangeEncoder implements BitCoder {
  /** low, high */
  private readonly bounds = Uint32Array.of(0, 0xffffffff);
  private buffer = new Uint8Array(1 << 12);
  private size = 0;

  code(bit: number, one: number): number {
    const { bounds } = this;
    narrow(bounds, middleOf(bounds, one), bit);
    while (settled(bounds)) {
      this.push((bounds[1] as number) >>> 24);
      shift(bounds);
    }
    return bit;
  }

  /** The bytes coded; zeros follow for the decoder, so one byte inside the interval is enough. */
  finish(): Uint8Array {
    const low = this.bounds[0] as number;
    if (low > 0) this.push((low >>> 24) + 1);
    return this.buffer.slice(0, this.size);
  }

  private push(byte: number): void {
    if (this.size === this.buffer.length) {
      const grown = new Uint8Array(this.buffer.length * 2);
      grown.set(this.buffer);
      this.buffer = grown;
    }
    this.buffer[this.size++] = byte;
  }
}

/** The other end of `RangeEncoder`. */
export class RangeDecoder implements BitCoder {
  private readonly bounds = Uint32Array.of(0, 0xffffffff);
  private readonly value = new Uint32Array(1);
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {
    for (let i = 0; i < 4; i++) this.read();
  }

  code(_bit: number, one: number): number {
    const { bounds, value } = this;
    const middle = middleOf(bounds, one);
    const bit = (value[0] as number) <= middle ? 1 : 0;
    narrow(bounds, middle, bit);
    while (settled(bounds)) {
      shift(bounds);
      this.read();
    }
    return bit;
  }

  /** Whether more was read than an encoder can have left out at the end. */
  get overrun(): boolean {
    return this.at > this.bytes.length + 4;
  }

  private read(): void {
    const { value, bytes } = this;
    const byte = this.at < bytes.length ? (bytes[this.at] as number) : 0;
    this.at++;
    value[0] = ((value[0] as number) << 8) | byte;
  }
}

/** The last value of the interval's lower part, which stands for a one. */
function middleOf(bounds: Uint32Array, one: number): number {
  const low = bounds[0] as number;
  const range = ((bounds[1] as number) - low) >>> 0;
  return (low + (range >>> 16) * one + (((range & 0xffff) * one) >>> 16)) >>> 0;
}

function narrow(bounds: Uint32Array, middle: number, bit: number): void {
  if (bit === 1) bounds[1] = middle;
  else bounds[0] = middle + 1;
}

/** Whether the highest byte can no longer change. */
function settled(bounds: Uint32Array): boolean {
  return (((bounds[0] as number) ^ (bounds[1] as number)) & 0xff000000) === 0;
}

function shift(bounds: Uint32Array): void {
  bounds[0] = (bounds[0] as number) << 8;
  bounds[1] = ((bounds[1] as number) << 8) | 0xff;
}
