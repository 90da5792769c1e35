import {
  attrFloat,
  attrInt,
  edit,
  floatTensor,
  graphOf,
  type Model,
  toFloat32,
} from '@espalier/onnx';

/**
 * Before: Gemm with factors `alpha`, `beta`, or a bias of another shape than [outputs]. After: the
 * factors are in its constants and the bias is a vector, as integer kernels want it.
 */
export function plainGemm(model: Model): Model {
  const graph = graphOf(model);
  const editor = edit(model);
  let changes = 0;
  for (const node of graph.nodes) {
    if (node.op !== 'Gemm' || node.domain !== '') continue;
    const weight = graph.constant(node.inputs[1] ?? '');
    const biasName = node.inputs[2] ?? '';
    const bias = biasName === '' ? undefined : graph.constant(biasName);
    const outputs = weight?.dims[attrInt(node, 'transB', 0) === 1 ? 0 : 1] ?? 0;
    const [alpha, beta] = [attrFloat(node, 'alpha', 1), attrFloat(node, 'beta', 1)];
    const flat = bias === undefined || (bias.dims.length === 1 && bias.dims[0] === outputs);
    if (weight?.dtype !== 'float32' || (biasName !== '' && bias?.dtype !== 'float32')) continue;
    if ((alpha === 1 && beta === 1 && flat) || (bias && outputs % bias.data.length !== 0)) continue;
    if (bias && bias.data.length > 1 && bias.dims.at(-1) !== outputs) continue;
    const newWeight = editor.freshName(`${node.outputs[0] ?? ''}_weight`);
    editor.setInitializer(
      newWeight,
      floatTensor(
        weight.dims,
        toFloat32(weight).map((w) => w * alpha),
      ),
    );
    editor.replaceInput(node, 1, newWeight);
    if (bias) {
      const old = toFloat32(bias);
      const data = Float32Array.from(
        { length: outputs },
        (_, o) => beta * (old[o % old.length] ?? 0),
      );
      const newBias = editor.freshName(`${node.outputs[0] ?? ''}_bias`);
      editor.setInitializer(newBias, floatTensor([outputs], data));
      editor.replaceInput(node, 2, newBias);
    }
    editor.setAttribute(node, 'alpha', undefined).setAttribute(node, 'beta', undefined);
    changes++;
  }
  return changes > 0 ? editor.removeUnused().done() : model;
}
