import type { Node } from '../node.js';
import type { AbstractTensor } from './abstract-tensor.js';

/** What a rule may look at. */
export interface Scope {
  readonly node: Node;
  readonly opset: number;
  /** Most elements that a rule may compute. */
  readonly maxElements: number;
  /** undefined when the optional input is left out. */
  input(index: number): AbstractTensor | undefined;
}

/** From what is known of a node's inputs to what is known of its outputs. */
export type Rule = (scope: Scope) => readonly AbstractTensor[];

export type Rules = Readonly<Record<string, Rule>>;

/** The same rule for many operators. */
export function forAll(ops: string, rule: Rule): Rules {
  return Object.fromEntries(ops.split(' ').map((op) => [op, rule]));
}

/** Dimensions of an input; null: it is absent, or its rank is not known. */
export function dimsOf(scope: Scope, index: number): readonly number[] | null {
  return scope.input(index)?.dims ?? null;
}

/** Whole numbers that a node takes from an attribute (older opsets) or from an input. */
export function listOf(scope: Scope, attribute: string, input: number): number[] | undefined {
  const inAttribute = scope.node.proto.attribute.find(({ name }) => name === attribute);
  if (inAttribute !== undefined) return inAttribute.ints.map(Number);
  const data = scope.input(input)?.data;
  return data === undefined ? undefined : Array.from(data);
}

/** Whether the optional input is there, known or not. */
export function hasInput(scope: Scope, index: number): boolean {
  return (scope.node.inputs[index] ?? '') !== '';
}
