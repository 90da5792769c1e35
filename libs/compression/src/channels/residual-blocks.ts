import { edit, graphOf, inferShapes, type Graph, type Model, type Node } from '@espalier/onnx';
import type { ChannelGraph } from './channel-graph.js';

/** A branch of a residual sum that can be taken out whole: the sum becomes its other addend. */
export interface ResidualBlock {
  /** The sum: the output of its Add. */
  readonly name: string;
  /** The addend that stays. */
  readonly shortcut: string;
  /** What goes with the branch, all of it read by the branch alone. */
  readonly nodes: ReadonlySet<Node>;
}

/**
 * The residual blocks of a model: for each Add of two computed values of one shape, the branch with
 * the more weights that nothing else reads.
 */
export function residualBlocks({ model, layers }: ChannelGraph): ResidualBlock[] {
  const graph = graphOf(model);
  const shapes = inferShapes(model, { batch: 1 });
  const dims = (tensor: string): string => shapes.get(tensor)?.dims?.join() ?? '';
  const weights = new Map<Node, number>(
    layers.map(({ node, weight }) => [
      node,
      (graph.constant(weight)?.dims ?? [0]).reduce((a, b) => a * b, 1),
    ]),
  );
  const weigh = (nodes: ReadonlySet<Node>): number =>
    [...nodes].reduce((sum, node) => sum + (weights.get(node) ?? 0), 0);
  return graph.nodes.flatMap((add) => {
    const [name, a, b] = [add.outputs[0] ?? '', add.inputs[0] ?? '', add.inputs[1] ?? ''];
    if (add.op !== 'Add' || add.domain !== '' || a === b) return [];
    if (graph.constant(a) || graph.constant(b)) return [];
    if (dims(a) === '' || dims(a) !== dims(b) || dims(a) !== dims(name)) return [];
    const sides = [
      { name, shortcut: b, nodes: branch(graph, a, add) },
      { name, shortcut: a, nodes: branch(graph, b, add) },
    ].filter(({ nodes, shortcut }) => {
      const producer = graph.producer(shortcut);
      return weigh(nodes) > 0 && (producer === undefined || !nodes.has(producer));
    });
    sides.sort((one, other) => weigh(other.nodes) - weigh(one.nodes));
    return sides.slice(0, 1);
  });
}

/** The nodes that `tensor` is computed by and that nothing but `add` needs. */
function branch(graph: Graph, tensor: string, add: Node): Set<Node> {
  const nodes = new Set<Node>();
  const free = (node: Node): boolean =>
    !node.hasSubgraph &&
    node.outputs.every(
      (output) =>
        !graph.isOutput(output) &&
        !graph.usedInSubgraph(output) &&
        graph
          .consumers(output)
          .every((reader) => nodes.has(reader) || (reader === add && output === tensor)),
    );
  // Consumers come after their producers, so one pass from the end sees every reader first.
  const last = graph.nodes.indexOf(add);
  const wanted = new Set([tensor]);
  for (const node of graph.nodes.slice(0, last).reverse()) {
    if (!node.outputs.some((output) => wanted.has(output)) || !free(node)) continue;
    nodes.add(node);
    for (const input of node.inputs) wanted.add(input);
  }
  return nodes;
}

/**
 * Takes blocks out: each sum becomes an Identity of the addend that stays, so that its name is still
 * there for what compares tensors by name.
 * @param model the blocks' model, its channels cut or not
 */
export function dropBlocks(model: Model, blocks: readonly ResidualBlock[]): Model {
  if (blocks.length === 0) return model;
  const graph = graphOf(model);
  const editor = edit(model);
  for (const { name, shortcut } of blocks) {
    const add = graph.producer(name);
    if (!add) continue;
    editor.addNode({ op: 'Identity', inputs: [shortcut], outputs: [name] }, { after: add });
    editor.removeNode(add);
  }
  return editor.removeUnused().clearValueInfo().done();
}
