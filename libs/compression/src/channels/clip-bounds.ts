import { type Graph, type Node, scalarValue } from '@espalier/onnx';

/** What a Relu or a Clip by constants keeps values between; undefined for other nodes. */
export function clipBounds(graph: Graph, node: Node): readonly [number, number] | undefined {
  if (node.domain !== '') return undefined;
  if (node.op === 'Relu') return [0, Infinity];
  if (node.op !== 'Clip') return undefined;
  const bound = (index: number, open: number): number | undefined => {
    const name = node.inputs[index] ?? '';
    if (name === '') return open;
    const value = graph.constant(name);
    return value && scalarValue(value);
  };
  const [lower, upper] = [bound(1, -Infinity), bound(2, Infinity)];
  return lower === undefined || upper === undefined ? undefined : [lower, upper];
}
