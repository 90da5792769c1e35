import type { GraphProto, NodeProto } from 'onnx-buf';

/** One operation of a graph, immutable. */
export interface Node {
  /** The name when it is there and unique in the graph, else `#` and the position in the file. */
  readonly key: string;
  readonly name: string;
  readonly op: string;
  /** Empty for the default domain. */
  readonly domain: string;
  /** An empty name stands for an optional input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly hasSubgraph: boolean;
  /** Names of the surrounding graph that the node's subgraphs use. */
  readonly captures: readonly string[];
  readonly proto: NodeProto;
}

/** A Node over its protobuf form. */
export function nodeOf(proto: NodeProto, key: string): Node {
  const subgraphs = subgraphsOf(proto);
  return {
    key,
    name: proto.name,
    op: proto.opType,
    domain: proto.domain === 'ai.onnx' ? '' : proto.domain,
    inputs: proto.input,
    outputs: proto.output,
    hasSubgraph: subgraphs.length > 0,
    captures: [...new Set(subgraphs.flatMap(capturedNames))],
    proto,
  };
}

/** The graphs in a node's attributes: branches and bodies of control flow. */
export function subgraphsOf(proto: NodeProto): GraphProto[] {
  return proto.attribute.flatMap((attribute) =>
    attribute.g === undefined ? attribute.graphs : [attribute.g, ...attribute.graphs],
  );
}

/** Names that a subgraph, with those inside it, takes from outside. */
export function capturedNames(graph: GraphProto): string[] {
  const own = definedNames(graph);
  const used = graph.node.flatMap((node) => [
    ...node.input,
    ...subgraphsOf(node).flatMap(capturedNames),
  ]);
  return [...used, ...graph.output.map((output) => output.name)].filter(
    (name) => name !== '' && !own.has(name),
  );
}

/** Every name that a graph itself gives a value: inputs, initialisers, node outputs. */
export function definedNames(graph: GraphProto): Set<string> {
  const names = new Set<string>();
  for (const input of graph.input) names.add(input.name);
  for (const tensor of graph.initializer) names.add(tensor.name);
  for (const sparse of graph.sparseInitializer) names.add(sparse.values?.name ?? '');
  for (const node of graph.node) for (const output of node.output) names.add(output);
  return names;
}
