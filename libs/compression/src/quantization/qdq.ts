import {
  edit,
  floatTensor,
  type GraphEditor,
  graphOf,
  int32Tensor,
  int8Tensor,
  type Model,
  scalar,
  tensorOf,
} from '@espalier/onnx';
import { packWeights } from '../structure/layer-weights.js';
import type { AffineScale } from './affine.js';
import type { QuantizationPlan, QuantizedLayer } from './plan.js';
import type { IntegerWeights } from './weight-scales.js';

/** A layer's integers: weights of each group, and the bias as a real number an output. */
export interface LayerIntegers {
  readonly groups: readonly IntegerWeights[];
  readonly bias: Float64Array | undefined;
}

/** Everything that the int8 form of a model holds beside the plan. */
export interface QuantizedParameters {
  /** By the tensors that the plan gives a scale of their own. */
  readonly activations: ReadonlyMap<string, AffineScale>;
  /** By the layer's output. */
  readonly layers: ReadonlyMap<string, LayerIntegers>;
}

/** Most that a bias may be of the 32-bit range: the products are added to it. */
const BIAS_LIMIT = 2 ** 30;
const LEAST_WEIGHT_SCALE = 1e-10;

/**
 * The int8 form of a model: QuantizeLinear and DequantizeLinear around what the plan names, so that
 * ONNX Runtime replaces the nodes in between by integer kernels. Tensors keep their names: what a
 * name gave in float, it gives dequantized. Scales and zero points that are equal are one initialiser.
 */
export function writeQdq(plan: QuantizationPlan, parameters: QuantizedParameters): Model {
  const graph = graphOf(plan.model);
  const editor = edit(plan.model);
  const constants = new SharedConstants(editor);
  for (const node of plan.absorbed) editor.removeNode(node);
  const scaleNames = (name: string): [string, string] => {
    const { scale, zeroPoint } = scaleOf(plan, parameters, name);
    return [constants.scale(scale), constants.zeroPoint(zeroPoint)];
  };

  for (const tensor of plan.tensors.values()) {
    const settings = scaleNames(tensor.name);
    const integers = constants.fresh('q');
    let { source } = tensor;
    let target = tensor.name;
    if (tensor.floatMade) {
      target = constants.fresh('d');
      for (const node of graph.consumers(tensor.name)) {
        if (!plan.quantized.has(node)) continue;
        node.inputs.forEach((name, index) => {
          if (name === tensor.name) editor.replaceInput(node, index, target);
        });
      }
    } else if (source === target) {
      const producer = graph.producer(source);
      source = constants.fresh('f');
      if (producer) editor.replaceOutput(producer, producer.outputs.indexOf(target), source);
    }
    const inner = { name: '', outputs: [integers] };
    editor.addNode({ op: 'QuantizeLinear', inputs: [source, ...settings], ...inner });
    editor.addNode({
      op: 'DequantizeLinear',
      name: '',
      inputs: [integers, ...settings],
      outputs: [target],
    });
  }

  for (const layer of plan.layers) {
    const integers = parameters.layers.get(layer.output);
    if (integers) writeLayer(plan, parameters, layer, integers, editor, constants);
  }
  return editor.clearValueInfo().removeUnused().done();
}

function scaleOf(
  plan: QuantizationPlan,
  { activations }: QuantizedParameters,
  name: string,
): AffineScale {
  return activations.get(plan.tensors.get(name)?.scaleOf ?? name) ?? { scale: 1, zeroPoint: 0 };
}

function writeLayer(
  plan: QuantizationPlan,
  parameters: QuantizedParameters,
  layer: QuantizedLayer,
  integers: LayerIntegers,
  editor: GraphEditor,
  constants: SharedConstants,
): void {
  const dims = graphOf(plan.model).constant(layer.weight)?.dims ?? [];
  const inputScale = scaleOf(plan, parameters, layer.input).scale;
  const scales = Float32Array.from(integers.groups.flatMap(({ scales }) => [...scales]));
  const biasScales = new Float32Array(scales.length);
  const bias = new Int32Array(scales.length);
  for (let o = 0; o < scales.length; o++) {
    scales[o] = Math.max(scales[o] as number, LEAST_WEIGHT_SCALE);
    biasScales[o] = inputScale * (scales[o] as number);
    const level = Math.round((integers.bias?.[o] ?? 0) / (biasScales[o] as number));
    bias[o] = Math.max(-BIAS_LIMIT, Math.min(BIAS_LIMIT, level));
  }
  const matrices = integers.groups.map(({ rows, cols, data }) => ({
    rows,
    cols,
    data: Float64Array.from(data),
  }));
  const weight = constants.add(
    'w',
    int8Tensor(dims, Int8Array.from(packWeights(layer, dims, matrices))),
  );
  const weightScale = constants.add('s', floatTensor([scales.length], scales));
  const dequantizedWeight = constants.fresh('d');
  editor.addNode({
    op: 'DequantizeLinear',
    name: '',
    inputs: [weight, weightScale, constants.weightZeroPoint(scales.length)],
    outputs: [dequantizedWeight],
    ...(layer.outputAxis === 1 ? {} : { attributes: { axis: { int: layer.outputAxis } } }),
  });
  editor.replaceInput(layer.node, 1, dequantizedWeight);
  if (layer.kind === 'matmul') return;
  const dequantizedBias = constants.fresh('d');
  editor.addNode({
    op: 'DequantizeLinear',
    name: '',
    inputs: [
      constants.add('b', int32Tensor([bias.length], bias)),
      constants.add('s', floatTensor([bias.length], biasScales)),
    ],
    outputs: [dequantizedBias],
    attributes: { axis: { int: 0 } },
  });
  editor.replaceInput(layer.node, 2, dequantizedBias);
}

/**
 * Scales of a layer's weights at which its bias fits in 32 bits with room for the products: enlarged
 * only for outputs whose weights are tiny beside their bias.
 * @param inputScale of the layer's input
 */
export function guardBias(
  scales: Float64Array,
  bias: Float64Array | undefined,
  inputScale: number,
): Float64Array {
  return scales.map((scale, o) =>
    Math.max(scale, Math.abs(bias?.[o] ?? 0) / (inputScale * BIAS_LIMIT), LEAST_WEIGHT_SCALE),
  );
}

/** Initialisers under short names, one for each value that repeats. */
class SharedConstants {
  private readonly known = new Map<string, string>();
  private readonly counts = new Map<string, number>();

  constructor(private readonly editor: GraphEditor) {}

  fresh(prefix: string): string {
    const count = this.counts.get(prefix) ?? 0;
    this.counts.set(prefix, count + 1);
    return this.editor.freshName(`${prefix}${count}`);
  }

  add(prefix: string, tensor: Parameters<GraphEditor['setInitializer']>[1]): string {
    const name = this.fresh(prefix);
    this.editor.setInitializer(name, tensor);
    return name;
  }

  scale(value: number): string {
    return this.shared(`s${value}`, () => this.add('s', scalar(value)));
  }

  zeroPoint(value: number): string {
    return this.shared(`z${value}`, () =>
      this.add('z', tensorOf('uint8', [], Uint8Array.of(value))),
    );
  }

  weightZeroPoint(length: number): string {
    return this.shared(`w${length}`, () =>
      this.add('z', int8Tensor([length], new Int8Array(length))),
    );
  }

  private shared(key: string, make: () => string): string {
    const name = this.known.get(key) ?? make();
    this.known.set(key, name);
    return name;
  }
}
