import type { NodeProto } from 'onnx-buf';
import { OnnxError } from './errors.js';
import { capturedNames, subgraphsOf } from './node.js';

/**
 * Nodes in an order where each follows the nodes that it reads from; nodes already in order keep
 * their places. @throws OnnxError ONNX_INVALID_GRAPH when the graph has a cycle.
 */
export function sortNodes(nodes: readonly NodeProto[]): NodeProto[] {
  const producers = new Map<string, number>();
  nodes.forEach((node, index) => {
    for (const output of node.output) if (output !== '') producers.set(output, index);
  });
  const waiting = new Array<number>(nodes.length).fill(0);
  const readers = nodes.map((): number[] => []);
  nodes.forEach((node, index) => {
    const reads = [...node.input, ...subgraphsOf(node).flatMap(capturedNames)];
    const from = new Set(reads.map((name) => producers.get(name)).filter((p) => p !== undefined));
    waiting[index] = from.size;
    for (const producer of from) readers[producer]?.push(index);
  });
  const ready = new ReadyQueue(waiting.flatMap((count, index) => (count === 0 ? [index] : [])));
  const order: NodeProto[] = [];
  for (let index = ready.pop(); index !== undefined; index = ready.pop()) {
    const node = nodes[index];
    if (node !== undefined) order.push(node);
    for (const reader of readers[index] ?? []) {
      waiting[reader] = (waiting[reader] ?? 0) - 1;
      if (waiting[reader] === 0) ready.push(reader);
    }
  }
  if (order.length < nodes.length) {
    const stuck = nodes[waiting.findIndex((count) => count > 0)];
    throw new OnnxError(
      'ONNX_INVALID_GRAPH',
      `The graph has a cycle through the ${stuck?.opType ?? ''} node "${stuck?.name ?? ''}".`,
    );
  }
  return order;
}

/** A binary min-heap of positions, so that ties keep the order of the file. */
class ReadyQueue {
  constructor(private readonly heap: number[]) {}

  push(value: number): void {
    let at = this.heap.push(value) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.get(parent) <= value) break;
      this.heap[at] = this.get(parent);
      at = parent;
    }
    this.heap[at] = value;
  }

  pop(): number | undefined {
    const top = this.heap[0];
    const last = this.heap.pop();
    if (last === undefined || this.heap.length === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.heap.length) break;
      if (this.get(child + 1) < this.get(child)) child++;
      if (this.get(child) >= last) break;
      this.heap[at] = this.get(child);
      at = child;
    }
    this.heap[at] = last;
    return top;
  }

  private get(index: number): number {
    return this.heap[index] ?? Infinity;
  }
}
