import type { CostNode } from './costs.js';

/** Operators that write over an input that nobody reads afterwards. */
const IN_PLACE = new Set<CostNode['kind']>([
  'add',
  'elementwise',
  'transcendental',
  'softmax',
  'view',
]);

/**
 * The most bytes of activations alive at one time when operations run one after another and each
 * value lives until its last reader, inputs of the model for the whole run.
 */
export function peakActivationBytes(nodes: readonly CostNode[], inputBytes: number): number {
  const lastUse = nodes.map((_node, at) => at);
  nodes.forEach((node, at) => {
    for (const from of node.inputs) if (from >= 0) lastUse[from] = at;
  });
  const live = new Map<number, number>();
  let peak = inputBytes;
  nodes.forEach((node, at) => {
    const bytes = bytesOf(node);
    const reused =
      IN_PLACE.has(node.kind) &&
      node.inputs.find((from) => lastUse[from] === at && live.get(from) === bytes);
    if (typeof reused === 'number') live.delete(reused);
    live.set(at, bytes);
    const total = [...live.values()].reduce((sum, size) => sum + size, inputBytes);
    peak = Math.max(peak, total);
    for (const from of live.keys()) if ((lastUse[from] ?? 0) <= at) live.delete(from);
  });
  return peak;
}

function bytesOf(node: CostNode): number {
  const width = node.int8 && node.kind !== 'dequantize' ? 1 : 4;
  return node.cout * node.oh * node.ow * width;
}
