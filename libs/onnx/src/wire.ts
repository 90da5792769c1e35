import type { DescField, DescMessage } from '@bufbuild/protobuf';
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';
import { OnnxError } from './errors.js';

const MAX_DEPTH = 64;
const MESSAGE_BYTES = 400;
const ELEMENT_BYTES = 40;
const NUMBER_BYTES = 12;
const VIEW_BYTES = 120;

/**
 * Walk a protobuf message without building it: a truncated or ill-formed one is found, and so is one
 * whose parsed form would take far more memory than the file does (two bytes can ask for an object of
 * hundreds). Byte strings are views and cost nothing.
 *
 * @throws OnnxError ONNX_CORRUPT or ONNX_TOO_LARGE
 */
export function checkWire(bytes: Uint8Array, schema: DescMessage, maxHeapBytes: number): void {
  const budget = { left: maxHeapBytes };
  try {
    walk(new BinaryReader(bytes), bytes.length, schema, budget, 0);
  } catch (cause) {
    if (cause instanceof OnnxError) throw cause;
    throw new OnnxError(
      'ONNX_CORRUPT',
      `The model file is truncated or no ONNX (${cause instanceof Error ? cause.message : String(cause)}).`,
      { cause },
    );
  }
}

function walk(
  reader: BinaryReader,
  end: number,
  schema: DescMessage,
  budget: { left: number },
  depth: number,
): void {
  if (depth > MAX_DEPTH) {
    throw new OnnxError('ONNX_CORRUPT', `Messages are nested more than ${MAX_DEPTH} deep.`);
  }
  spend(budget, MESSAGE_BYTES);
  const fields = fieldsOf(schema);
  while (reader.pos < end) {
    const [number, wireType] = reader.tag();
    const field = fields.get(number);
    if (wireType !== WireType.LengthDelimited) {
      reader.skip(wireType, number);
      spend(budget, ELEMENT_BYTES);
      continue;
    }
    const length = reader.uint32();
    const next = reader.pos + length;
    if (next > end) {
      throw new OnnxError('ONNX_CORRUPT', `A field runs ${next - end} bytes past its message.`);
    }
    if (field?.message !== undefined) {
      walk(reader, next, field.message, budget, depth + 1);
    } else {
      spend(budget, costOf(field, length));
      reader.pos = next;
    }
  }
  if (reader.pos !== end) {
    throw new OnnxError('ONNX_CORRUPT', 'A field runs past the end of its message.');
  }
}

/** protobuf's numbers of the scalar types that matter here. */
const DOUBLE = 1;
const FLOAT = 2;
const INT64 = 3;
const UINT64 = 4;
const STRING = 9;
const BYTES = 12;

/** An upper estimate of the heap that one length-delimited field takes when parsed. */
function costOf(field: DescField | undefined, length: number): number {
  switch (field?.scalar) {
    case DOUBLE:
      return (length / 8) * NUMBER_BYTES;
    case FLOAT:
      return (length / 4) * NUMBER_BYTES;
    case INT64:
    case UINT64:
      return length * ELEMENT_BYTES;
    case BYTES:
      return VIEW_BYTES;
    case STRING:
    case undefined:
      return VIEW_BYTES + length * 2;
    default:
      return length * NUMBER_BYTES;
  }
}

function spend(budget: { left: number }, bytes: number): void {
  budget.left -= bytes;
  if (budget.left < 0) {
    throw new OnnxError(
      'ONNX_TOO_LARGE',
      'The file has so many small parts that reading it would take too much memory.',
    );
  }
}

const FIELDS = new WeakMap<DescMessage, Map<number, DescField>>();

function fieldsOf(schema: DescMessage): Map<number, DescField> {
  const known = FIELDS.get(schema);
  if (known !== undefined) return known;
  const fields = new Map(schema.fields.map((field) => [field.number, field]));
  FIELDS.set(schema, fields);
  return fields;
}
