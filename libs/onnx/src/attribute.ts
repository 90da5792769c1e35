import { create } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType as Type,
  AttributeProtoSchema,
  type AttributeProto,
} from 'onnx-buf';
import { OnnxError } from './errors.js';
import type { Node } from './node.js';
import { decodeTensor, encodeTensor, type Tensor } from './tensor.js';

/**
 * A node attribute to write. A bare number is ambiguous in ONNX, so integers and floats are tagged;
 * a bare string or tensor stands for itself.
 */
export type AttributeValue =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly string: string }
  | { readonly strings: readonly string[] }
  | { readonly tensor: Tensor }
  | string
  | Tensor;

export type Attributes = Readonly<Record<string, AttributeValue>>;

function find(node: Node, name: string): AttributeProto | undefined {
  return node.proto.attribute.find((attribute) => attribute.name === name);
}

/** Whether a node has an attribute of that name. */
export function hasAttribute(node: Node, name: string): boolean {
  return find(node, name) !== undefined;
}

/** An integer attribute, or the fallback when the node has none. */
export function attrInt(node: Node, name: string, fallback: number): number {
  const attribute = find(node, name);
  return attribute === undefined ? fallback : Number(attribute.i);
}

/** An integer list, or undefined when the node has none. */
export function attrInts(node: Node, name: string): number[] | undefined {
  return find(node, name)?.ints.map(Number);
}

/** A number, or the fallback when the node has none. */
export function attrFloat(node: Node, name: string, fallback: number): number {
  return find(node, name)?.f ?? fallback;
}

/** A list of numbers; undefined when the node has none. */
export function attrFloats(node: Node, name: string): number[] | undefined {
  const floats = find(node, name)?.floats;
  return floats === undefined ? undefined : [...floats];
}

/** A text, or the fallback when the node has none. */
export function attrString(node: Node, name: string, fallback: string): string {
  const attribute = find(node, name);
  return attribute === undefined ? fallback : Buffer.from(attribute.s).toString('utf8');
}

/** A tensor attribute, decoded anew at each call. @throws OnnxError as decodeTensor does. */
export function attrTensor(node: Node, name: string): Tensor | undefined {
  const tensor = find(node, name)?.t;
  return tensor === undefined ? undefined : decodeTensor(tensor);
}

function utf8(text: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new TextEncoder().encode(text));
}

function whole(name: string, value: number): bigint {
  if (!Number.isInteger(value)) {
    throw new OnnxError('ONNX_EDIT', `The attribute "${name}" must be whole, but is ${value}.`);
  }
  return BigInt(value);
}

/** The protobuf form of an attribute. @throws OnnxError ONNX_EDIT when an integer is not whole. */
export function encodeAttribute(name: string, value: AttributeValue): AttributeProto {
  const attribute = create(AttributeProtoSchema, { name });
  if (typeof value === 'string') return encodeAttribute(name, { string: value });
  if ('dtype' in value) return encodeAttribute(name, { tensor: value });
  if ('int' in value) {
    attribute.type = Type.INT;
    attribute.i = whole(name, value.int);
  } else if ('ints' in value) {
    attribute.type = Type.INTS;
    attribute.ints = value.ints.map((item) => whole(name, item));
  } else if ('float' in value) {
    attribute.type = Type.FLOAT;
    attribute.f = Math.fround(value.float);
  } else if ('floats' in value) {
    attribute.type = Type.FLOATS;
    attribute.floats = value.floats.map(Math.fround);
  } else if ('string' in value) {
    attribute.type = Type.STRING;
    attribute.s = utf8(value.string);
  } else if ('strings' in value) {
    attribute.type = Type.STRINGS;
    attribute.strings = value.strings.map(utf8);
  } else {
    attribute.type = Type.TENSOR;
    attribute.t = encodeTensor('', value.tensor);
  }
  return attribute;
}
