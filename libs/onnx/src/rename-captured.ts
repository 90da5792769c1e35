import type { AttributeProto, GraphProto } from 'onnx-buf';
import { shallowCopy } from './message-copy.js';
import { capturedNames } from './node.js';

/** Lets a subgraph in an attribute, and those inside it, take another value from outside. */
export function renameCaptured(
  attribute: AttributeProto,
  from: string,
  to: string,
): AttributeProto {
  const copy = shallowCopy(attribute);
  if (attribute.g !== undefined) copy.g = renamedIn(attribute.g, from, to);
  copy.graphs = attribute.graphs.map((graph) => renamedIn(graph, from, to));
  return copy;
}

function renamedIn(graph: GraphProto, from: string, to: string): GraphProto {
  if (!capturedNames(graph).includes(from)) return graph;
  return shallowCopy(graph, {
    node: graph.node.map((node) =>
      shallowCopy(node, {
        input: node.input.map((input) => (input === from ? to : input)),
        attribute: node.attribute.map((attribute) => renameCaptured(attribute, from, to)),
      }),
    ),
    output: graph.output.map((output) =>
      output.name === from ? shallowCopy(output, { name: to }) : output,
    ),
  });
}
