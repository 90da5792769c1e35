import { edit, floatTensor, graphOf, type Model, toFloat32 } from '@espalier/onnx';
import { buildChannelGraph } from '../channels/channel-graph.js';

/**
 * The plain baseline for `pruneWeights`: the smallest weights of all layers, by one threshold on their
 * magnitude, become zero and nothing makes up for them.
 * @param model a prepared model
 * @param sparsity share of the weights, from 0 to 1
 */
export function pruneModelByMagnitude(model: Model, sparsity: number): Model {
  const graph = graphOf(model);
  const names = new Set(buildChannelGraph(model).layers.map(({ weight }) => weight));
  const tensors = [...names].flatMap((name) => {
    const tensor = graph.constant(name);
    return tensor ? [{ name, dims: tensor.dims, data: toFloat32(tensor) }] : [];
  });
  const sizes = new Float32Array(tensors.reduce((sum, { data }) => sum + data.length, 0));
  let at = 0;
  for (const { data } of tensors) {
    sizes.set(data.map(Math.abs), at);
    at += data.length;
  }
  const threshold = sizes.sort()[Math.round(sparsity * sizes.length) - 1] ?? -1;
  const editor = edit(model);
  for (const { name, dims, data } of tensors) {
    const kept = data.map((w) => (Math.abs(w) <= threshold ? 0 : w));
    editor.setInitializer(name, floatTensor(dims, kept));
  }
  return editor.done();
}
