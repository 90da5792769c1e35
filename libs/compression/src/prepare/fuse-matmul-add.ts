import { edit, graphOf, inferShapes, type Model, toFloat32, floatTensor } from '@espalier/onnx';

/**
 * Before: `x [rows, n] → MatMul by a constant → Add a constant of m → y`. After: one Gemm, whose bias
 * can be fitted. Left where the product has another reader or more than two axes.
 */
export function fuseMatmulAdd(model: Model): Model {
  const graph = graphOf(model);
  const shapes = inferShapes(model);
  const editor = edit(model);
  let fused = 0;
  for (const matmul of graph.nodes) {
    if (matmul.op !== 'MatMul' || matmul.domain !== '') continue;
    const [input = '', weightName = ''] = matmul.inputs;
    const product = matmul.outputs[0] ?? '';
    const weight = graph.constant(weightName);
    const [add, other] = graph.consumers(product);
    const rank = shapes.get(input)?.dims?.length;
    if (weight?.dims.length !== 2 || rank !== 2 || add?.op !== 'Add' || other) continue;
    if (graph.isOutput(product) || graph.usedInSubgraph(product)) continue;
    const biasName = add.inputs.find((name) => name !== product) ?? '';
    const bias = graph.constant(biasName);
    const outputs = weight.dims[1] ?? 0;
    if (!bias || bias.data.length !== outputs || bias.dims[bias.dims.length - 1] !== outputs)
      continue;
    const flat = editor.freshName(`${biasName}_flat`);
    editor.setInitializer(flat, floatTensor([outputs], Float32Array.from(toFloat32(bias))));
    editor.removeNode(matmul);
    editor.removeNode(add);
    editor.addNode({
      op: 'Gemm',
      name: matmul.name,
      inputs: [input, weightName, flat],
      outputs: [add.outputs[0] ?? ''],
    });
    fused++;
  }
  return fused > 0 ? editor.removeUnused().done() : model;
}
