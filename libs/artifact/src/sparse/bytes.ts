import { ArtifactError } from '../errors.js';

/** Bytes that are written one after another. */
export class ByteWriter {
  private buffer = new Uint8Array(1 << 10);
  size = 0;

  bytes(part: Uint8Array): void {
    this.reserve(part.length);
    this.buffer.set(part, this.size);
    this.size += part.length;
  }

  /** A whole number below 2^53, seven bits a byte, lowest first. */
  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    for (; rest >= 128; rest = Math.floor(rest / 128))
      this.buffer[this.size++] = (rest % 128) | 128;
    this.buffer[this.size++] = rest;
  }

  /** Little-endian. */
  uint32(value: number): void {
    this.reserve(4);
    for (let shift = 0; shift < 32; shift += 8) this.buffer[this.size++] = value >>> shift;
  }

  /** Little-endian. */
  float32(value: number): void {
    this.uint32(new Uint32Array(new Float32Array([value]).buffer)[0] ?? 0);
  }

  done(): Uint8Array {
    return this.buffer.slice(0, this.size);
  }

  private reserve(more: number): void {
    if (this.size + more <= this.buffer.length) return;
    const grown = new Uint8Array(Math.max(this.buffer.length * 2, this.size + more));
    grown.set(this.buffer.subarray(0, this.size));
    this.buffer = grown;
  }
}

/** Reads what `ByteWriter` wrote. Each method throws ARTIFACT_CORRUPT past the end. */
export class ByteReader {
  private at = 0;

  constructor(private readonly source: Uint8Array) {}

  get left(): number {
    return this.source.length - this.at;
  }

  byte(): number {
    return this.take(1)[0] ?? 0;
  }

  varint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (!Number.isSafeInteger(value)) throw damaged('a number in it is too large');
      if (byte < 128) return value;
    }
  }

  uint32(): number {
    const [a = 0, b = 0, c = 0, d = 0] = this.take(4);
    return (a | (b << 8) | (c << 16) | (d << 24)) >>> 0;
  }

  float32(): number {
    return new Float32Array(Uint32Array.of(this.uint32()).buffer)[0] ?? 0;
  }

  take(count: number): Uint8Array {
    if (count < 0 || count > this.left) throw damaged('it ends early');
    this.at += count;
    return this.source.subarray(this.at - count, this.at);
  }
}

const damaged = (why: string): ArtifactError =>
  new ArtifactError('ARTIFACT_CORRUPT', `The artifact is damaged: ${why}. Receive it again.`);
