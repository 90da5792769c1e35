import { edit, graphOf, type Model } from '@espalier/onnx';

const NOOPS = new Set(['Identity', 'Dropout']);

/**
 * Before: `x → Identity or Dropout → y → …`. After: readers of `y` read `x`.
 * Kept where `y` is an output of the model, is read inside a subgraph, or has a mask that is read.
 */
export function dropInferenceNoops(model: Model): Model {
  const graph = graphOf(model);
  const editor = edit(model);
  const renamed = new Map<string, string>();
  for (const node of graph.nodes) {
    const [input, output] = [node.inputs[0], node.outputs[0]];
    if (!NOOPS.has(node.op) || node.domain !== '' || input === undefined || output === undefined)
      continue;
    const training = node.op === 'Dropout' && (node.inputs[2] ?? '') !== '';
    const masked = node.outputs
      .slice(1)
      .some((name) => name !== '' && graph.consumers(name).length > 0);
    if (training || masked || graph.isOutput(output) || graph.usedInSubgraph(output)) continue;
    const source = renamed.get(input) ?? input;
    renamed.set(output, source);
    editor.renameUses(output, source);
    editor.removeNode(node);
  }
  return renamed.size > 0 ? editor.removeUnused().done() : model;
}
