/**
 * Whether an ONNX file says that weights of its lie in another file. It reads the wire format alone, so
 * that a device need not load a parser to refuse such a file: the hash of its bytes would not cover what
 * runs, and a path is not the file's to choose. Of a broken file it says what stands before the break.
 * Source: onnx.proto of ONNX 1.20, Protocol Buffers encoding.
 */
export function namesExternalData(bytes: Uint8Array): boolean {
  return new Scanner(bytes).message('model', bytes.length, 0);
}

type Kind =
  'model' | 'function' | 'training' | 'graph' | 'node' | 'attribute' | 'sparse' | 'tensor';

/** Fields that hold a message in which a tensor may lie. */
const INNER: Readonly<Record<Kind, Readonly<Record<number, Kind>>>> = {
  model: { 7: 'graph', 20: 'training', 25: 'function' },
  function: { 7: 'node', 11: 'attribute' },
  training: { 1: 'graph', 2: 'graph' },
  graph: { 1: 'node', 5: 'tensor', 15: 'sparse' },
  node: { 5: 'attribute' },
  attribute: {
    ...{ 5: 'tensor', 6: 'graph', 10: 'tensor', 11: 'graph' },
    ...{ 22: 'sparse', 23: 'sparse' },
  },
  sparse: { 1: 'tensor', 2: 'tensor' },
  tensor: {},
};
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;
/** As deep as the reader of models goes; what is deeper is said to name other files. */
const MAX_DEPTH = 64;
const LAST_BYTE_BITS = 63;

class Scanner {
  private at = 0;

  constructor(private readonly bytes: Uint8Array) {}

  message(kind: Kind, end: number, depth: number): boolean {
    if (depth > MAX_DEPTH) return true;
    const inner = INNER[kind];
    while (this.at < end) {
      const tag = this.varint();
      const field = Math.floor(tag / 8);
      switch (tag % 8) {
        case 0: {
          const value = this.varint();
          if (kind === 'tensor' && field === DATA_LOCATION && value !== 0) return true;
          break;
        }
        case 1:
          this.at += 8;
          break;
        case 5:
          this.at += 4;
          break;
        case 2: {
          const length = this.varint();
          const next = this.at + length;
          if (!(next <= end)) return this.broken();
          const message = inner[field];
          if (kind === 'tensor' && field === EXTERNAL_DATA) return true;
          if (message !== undefined && this.message(message, next, depth + 1)) return true;
          this.at = next;
          break;
        }
        case 3:
        case 4:
          // A group: it has not been written for twenty years, and its content is not ours to know.
          break;
        default:
          return this.broken();
      }
    }
    return false;
  }

  private varint(): number {
    let value = 0;
    for (let bits = 0; bits <= LAST_BYTE_BITS; bits += 7) {
      const byte = this.bytes[this.at++] ?? 0;
      value += (byte & 127) * 2 ** bits;
      if (byte < 128) return value;
    }
    return NaN;
  }

  private broken(): boolean {
    this.at = this.bytes.length;
    return false;
  }
}
