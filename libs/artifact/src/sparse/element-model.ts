import { Mixer } from './mixer.js';
import type { BitCoder } from './range-coder.js';
import type { ElementType } from './segment.js';

/**
 * How numbers of one type are taken apart: a flag for zero, a sign, a class (bit length of an
 * integer's magnitude, or a float's exponent), and the bits below it.
 */
interface NumberForm {
  readonly bits: number;
  readonly signed: boolean;
  readonly classBits: number;
  /** A float's mantissa bits; undefined for integers. */
  readonly mantissa: number | undefined;
  /** Bits below the class that are modelled by all that stands above them. */
  readonly modelled: number;
}

const FORMS: Readonly<Record<ElementType, NumberForm>> = {
  int8: { bits: 8, signed: true, classBits: 3, mantissa: undefined, modelled: 7 },
  uint8: { bits: 8, signed: false, classBits: 3, mantissa: undefined, modelled: 7 },
  int16: { bits: 16, signed: true, classBits: 4, mantissa: undefined, modelled: 4 },
  int32: { bits: 32, signed: true, classBits: 5, mantissa: undefined, modelled: 3 },
  float16: { bits: 16, signed: true, classBits: 5, mantissa: 10, modelled: 4 },
  bfloat16: { bits: 16, signed: true, classBits: 8, mantissa: 7, modelled: 4 },
  float32: { bits: 32, signed: true, classBits: 8, mantissa: 23, modelled: 6 },
};

const CONTEXTS = 4;
/** Values of each context. */
const VALUES = 256;

const ZERO = 0;
const SIGN = 1;
const CLASS = 2;

/** Columns that are told apart; wider rows share them. */
const MAX_COLUMNS = 1 << 16;

/** Running means move by 1/(n + 1), down to these rates. */
const ROW_RATE = 1 / 48;
const COLUMN_RATE = 1 / 40;

/**
 * Codes the elements of one tensor after another, in rows. What is known of the row so far, of the
 * column in the rows above and of the neighbours says how large the next element may be.
 */
export class ElementModel {
  private readonly form: NumberForm;
  private readonly mixer: Mixer;
  private readonly nodes: number;
  private readonly below: number;
  private readonly tail: number;

  private rowLength = 1;
  private column = 0;
  private row = 0;
  private peak = 0;
  private rowPeak = 0;
  private rowSize = 0;
  private rowZeros = 0;
  private columnSizes = new Float64Array(0);
  private columnZeros = new Float64Array(0);

  constructor(coder: BitCoder, type: ElementType) {
    this.form = FORMS[type];
    const { classBits, mantissa, modelled } = this.form;
    this.below = CLASS + (1 << classBits);
    this.tail =
      mantissa === undefined ? this.belowInteger(1 << classBits) : this.below + (1 << modelled);
    this.nodes = this.tail + 32;
    this.mixer = new Mixer(
      coder,
      CONTEXTS,
      CONTEXTS * VALUES * this.nodes,
      2 + classBits + modelled,
    );
  }

  /**
   * Begins a tensor: what is learnt of its type stays, what is known of rows and columns goes. In a
   * tensor of one row the element before takes the part of the column.
   */
  open(rowLength: number, count: number): void {
    const columns = rowLength === count ? 1 : Math.min(rowLength, MAX_COLUMNS);
    this.rowLength = rowLength;
    this.column = 0;
    this.row = 0;
    this.peak = 0;
    this.rowPeak = 0;
    this.rowSize = 0;
    this.rowZeros = 0;
    this.columnSizes = new Float64Array(columns);
    this.columnZeros = new Float64Array(columns);
  }

  /**
   * Codes the next element.
   * @param raw its bits as an unsigned number; ignored by a decoder
   */
  code(raw: number): number {
    this.setContexts();
    const { mantissa, bits, signed } = this.form;
    if (this.mixer.code(raw === 0 ? 1 : 0, ZERO, 0) === 1) {
      this.learn(0, 1);
      return 0;
    }
    const top = 2 ** (bits - 1);
    const negative = signed && this.mixer.codeAlone(raw >= top ? 1 : 0, 0, SIGN) === 1;
    if (mantissa !== undefined) {
      const magnitude = negative ? raw - top : raw;
      const exponent = this.codeClass(Math.floor(magnitude / 2 ** mantissa));
      const rest = this.codeBelow(magnitude, mantissa, this.below);
      this.learn(exponent, 0);
      return exponent * 2 ** mantissa + rest + (negative ? top : 0);
    }
    const magnitude = negative ? 2 * top - raw : raw;
    const length = this.codeClass(31 - Math.clz32(magnitude));
    const rest = this.codeBelow(magnitude, length, this.belowInteger(length));
    const value = 2 ** length + rest;
    this.learn(bits === 8 ? value : length, 0);
    return negative ? (2 * top - value) % (2 * top) : value;
  }

  private codeClass(value: number): number {
    const { classBits } = this.form;
    let prefix = 1;
    for (let depth = 0; depth < classBits; depth++) {
      const bit = (value >>> (classBits - 1 - depth)) & 1;
      prefix = (prefix << 1) | this.mixer.code(bit, CLASS + prefix, 2 + depth);
    }
    return prefix - (1 << classBits);
  }

  private codeBelow(value: number, width: number, from: number): number {
    const { classBits, modelled } = this.form;
    let prefix = 1;
    let rest = 0;
    for (let depth = 0; depth < width; depth++) {
      const place = width - 1 - depth;
      const bit = (value >>> place) & 1;
      let coded: number;
      if (depth < modelled) {
        coded = this.mixer.code(bit, from + prefix, 2 + classBits + depth);
        prefix = (prefix << 1) | coded;
      } else coded = this.mixer.codeAlone(bit, 0, this.tail + place);
      rest = rest * 2 + coded;
    }
    return rest;
  }

  /** Where the nodes below an integer's class lie: 2^length of them, or 2^modelled if that is less. */
  private belowInteger(length: number): number {
    const whole = Math.min(length, this.form.modelled);
    return this.below + (1 << whole) + ((length - whole) << this.form.modelled);
  }

  private setContexts(): void {
    const { column, nodes } = this;
    const { bases } = this.mixer;
    const wide = this.form.bits > 8;
    const place = column % this.columnSizes.length;
    const columnSize = fine(this.columnSizes[place] as number, wide);
    const rowSize = fine(this.rowSize, wide);
    const columnZeros = this.columnZeros[place] as number;
    const left = Math.min(this.rowLength - column - 1, 7);
    const peaked = this.rowPeak >= this.peak ? 1 : 0;
    bases[0] = 0;
    bases[1] = (VALUES + ((columnSize << 2) | ((columnZeros * 3.99) | 0))) * nodes;
    bases[2] = (2 * VALUES + ((rowSize << 2) | ((this.rowZeros * 3.99) | 0))) * nodes;
    bases[3] = (3 * VALUES + ((((columnSize + rowSize) >> 3) << 4) | (peaked << 3) | left)) * nodes;
  }

  private learn(size: number, zero: number): void {
    const { column } = this;
    const toRow = Math.max(1 / (column + 1.5), ROW_RATE);
    const toColumn = Math.max(1 / (this.row + 1), COLUMN_RATE);
    this.rowSize += (size - this.rowSize) * toRow;
    this.rowZeros += (zero - this.rowZeros) * toRow;
    const place = column % this.columnSizes.length;
    move(this.columnSizes, place, size, toColumn);
    move(this.columnZeros, place, zero, toColumn);
    this.rowPeak = Math.max(this.rowPeak, size);
    this.peak = Math.max(this.peak, size);
    if (++this.column === this.rowLength) {
      this.column = 0;
      this.row++;
      this.rowPeak = 0;
    }
  }
}

function move(means: Float64Array, at: number, value: number, rate: number): void {
  const mean = means[at] as number;
  means[at] = mean + (value - mean) * rate;
}

/** A mean size in 64 steps: four to the octave for small integers, as it is for a class. */
function fine(size: number, wide: boolean): number {
  if (wide) return (size | 0) & 63;
  const x = (size * 16) | 0;
  if (x < 8) return x;
  const octave = 31 - Math.clz32(x);
  return ((octave - 1) << 2) + ((x >>> (octave - 2)) & 3);
}
