import {
  attrFloat,
  attrInt,
  edit,
  floatTensor,
  graphOf,
  type Model,
  type Node,
  type Tensor,
  toFloat32,
} from '@espalier/onnx';

/**
 * Before: `x → Conv or ConvTranspose or Gemm → BatchNormalization → y`. After: one layer whose
 * weights and bias do both. Left where the layer's output has another reader or computed weights.
 */
export function foldBatchNormalization(model: Model): Model {
  const graph = graphOf(model);
  const editor = edit(model);
  let folded = 0;
  for (const bn of graph.nodes) {
    if (bn.op !== 'BatchNormalization' || bn.domain !== '') continue;
    const input = bn.inputs[0] ?? '';
    const layer = graph.producer(input);
    const y = bn.outputs[0];
    if (!layer || y === undefined || attrInt(bn, 'training_mode', 0) === 1) continue;
    if (graph.consumers(input).length !== 1 || graph.isOutput(input) || graph.usedInSubgraph(input))
      continue;
    const weight = graph.constant(layer.inputs[1] ?? '');
    const axis = weight && outputAxis(layer, weight);
    const affine = affineOf(bn, (name) => graph.constant(name));
    const biasName = layer.inputs[2] ?? '';
    const bias = biasName === '' ? undefined : graph.constant(biasName);
    if (!weight || axis === undefined || !affine || (biasName !== '' && !bias)) continue;
    if (graph.consumers(layer.inputs[1] ?? '').length !== 1) continue;
    const { scale, shift } = affine;
    const old = bias ? toFloat32(bias) : new Float32Array(scale.length);
    const newWeight = editor.freshName(`${layer.inputs[1] ?? ''}_folded`);
    const newBias = editor.freshName(`${input}_bias`);
    editor.setInitializer(newWeight, scaleAlong(weight, axis, scale, attrInt(layer, 'group', 1)));
    editor.setInitializer(
      newBias,
      floatTensor(
        [scale.length],
        shift.map((s, i) => s + (scale[i] ?? 1) * (old[i % old.length] ?? 0)),
      ),
    );
    editor.replaceInput(layer, 1, newWeight);
    editor.replaceInput(layer, 2, newBias);
    editor.removeNode(bn);
    editor.replaceOutput(layer, 0, y);
    folded++;
  }
  return folded > 0 ? editor.removeUnused().done() : model;
}

/** The axis of a layer's weights that counts its outputs. */
function outputAxis(layer: Node, weight: Tensor): number | undefined {
  if (weight.dtype !== 'float32') return undefined;
  if (layer.op === 'Conv') return 0;
  if (layer.op === 'ConvTranspose') return 1;
  const plain = attrFloat(layer, 'alpha', 1) === 1 && attrFloat(layer, 'beta', 1) === 1;
  if (layer.op === 'Gemm' && plain) return attrInt(layer, 'transB', 0) === 1 ? 0 : 1;
  return undefined;
}

/** y = scale * x + shift for each channel, from constant parameters. */
function affineOf(
  bn: Node,
  constant: (name: string) => Tensor | undefined,
): { scale: Float32Array; shift: Float32Array } | undefined {
  const [gamma, beta, mean, variance] = bn.inputs.slice(1, 5).map(constant);
  if (!gamma || !beta || !mean || !variance) return undefined;
  const epsilon = attrFloat(bn, 'epsilon', 1e-5);
  const [g, b, m, v] = [gamma, beta, mean, variance].map((tensor) =>
    Float64Array.from(toFloat32(tensor)),
  );
  if (!g || !b || !m || !v) return undefined;
  const scale = g.map((value, i) => value / Math.sqrt((v[i] ?? 1) + epsilon));
  const shift = b.map((value, i) => value - (m[i] ?? 0) * (scale[i] ?? 1));
  return { scale: Float32Array.from(scale), shift: Float32Array.from(shift) };
}

/** Multiplies each output channel of a layer's weights; a grouped transposed layer has them by group. */
function scaleAlong(weight: Tensor, axis: number, scale: Float32Array, group: number): Tensor {
  const size = weight.dims[axis] ?? 1;
  const inner = weight.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const perGroup = (weight.dims[0] ?? 1) / group;
  const data = toFloat32(weight).map((value, at) => {
    const channel = Math.floor(at / inner) % size;
    const block = axis === 1 && group > 1 ? Math.floor(at / (inner * size) / perGroup) : 0;
    return value * (scale[block * size + channel] ?? 1);
  });
  return floatTensor(weight.dims, data);
}
