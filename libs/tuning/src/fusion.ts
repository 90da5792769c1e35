import {
  attrInt,
  attrInts,
  attrString,
  type Graph,
  type Node,
  type ShapeMap,
} from '@espalier/onnx';
import type { CostNode, NodeKind } from './costs.js';
import { TuningError } from './errors.js';

const ACTIVATIONS = new Set(['Relu', 'Clip', 'LeakyRelu', 'Sigmoid', 'Tanh', 'HardSigmoid']);
/** Activations that a quantizer behind them does by itself, by saturating. */
const SATURATED = new Set(['Relu', 'Clip']);
const VIEWS = new Set(['Reshape', 'Flatten', 'Squeeze', 'Unsqueeze']);
const NOTHING = new Set(['Identity', 'Dropout']);
const TRANSCENDENTAL = new Set(
  'Sigmoid Tanh Exp Log Erf Gelu HardSwish Mish Softplus Elu Selu Pow Sqrt Sin Cos'.split(' '),
);
const COPIES = new Set(
  'Concat Split Slice Pad Gather Resize Upsample Expand Tile DepthToSpace SpaceToDepth'.split(' '),
);
/** Passes over its values that a BatchNormalization by itself is worth. */
const BATCH_NORMALIZATION_PASSES = 4;
/** Operators with a quantized form, and those that run on quantized values as they are. */
const QUANTIZABLE = new Set(
  'Conv Gemm MatMul Add Mul AveragePool GlobalAveragePool MaxPool Concat Reshape Flatten Squeeze Unsqueeze Transpose LeakyRelu Sigmoid Softmax Split Slice Gather Resize Pad'.split(
    ' ',
  ),
);
/** What a float model's own quantizer would leave in float. */
const KEPT_FLOAT = new Set(['Softmax', 'Sigmoid', 'LeakyRelu', 'Mul']);

/** Where a value comes from, and whether its bytes are the quantized ones. */
interface Origin {
  readonly node: number;
  readonly int8: boolean;
}

/**
 * Follows a graph in order and keeps one entry for each operation that the runtime is left with:
 * constants folded, BatchNormalization and channel-wise scaling taken into the convolution before
 * them, activations into the operator before them, and operators between DequantizeLinear and
 * QuantizeLinear run on int8.
 */
export class GraphFusion {
  private readonly nodes: CostNode[] = [];
  private readonly origins = new Map<string, Origin>();
  private readonly constants = new Set<string>();
  private readonly converted = new Map<number, number>();

  /** @param assumeInt8 take every operator that can be quantized as quantized */
  constructor(
    private readonly graph: Graph,
    private readonly shapes: ShapeMap,
    private readonly assumeInt8: boolean,
  ) {}

  run(): CostNode[] {
    for (const { name } of this.graph.inputs) this.origins.set(name, { node: -1, int8: false });
    for (const node of this.graph.nodes) this.visit(node);
    for (const { name } of this.graph.outputs) {
      if (this.origins.get(name)?.int8) this.asFloat(name);
    }
    return this.nodes;
  }

  private visit(node: Node): void {
    const [output = ''] = node.outputs;
    const used = node.inputs.filter((name) => name !== '');
    if (node.op === 'Shape' || used.every((name) => this.isConstant(name))) {
      for (const name of node.outputs) this.constants.add(name);
      return;
    }
    const [first = ''] = used.filter((name) => !this.isConstant(name));
    const origin = this.origins.get(first);
    if (!origin) return;
    if (NOTHING.has(node.op)) {
      this.origins.set(output, origin);
    } else if (node.op === 'QuantizeLinear') {
      this.origins.set(output, { node: this.asInt8(first), int8: true });
    } else if (node.op === 'DequantizeLinear') {
      this.origins.set(output, origin);
    } else if (this.absorb(node, first, origin)) {
      this.origins.set(output, origin);
    } else {
      this.append(node, used);
    }
  }

  /** Whether the operation before takes this one in. */
  private absorb(node: Node, input: string, origin: Origin): boolean {
    const before = this.nodes[origin.node];
    if (!before || this.readers(input) !== 1 || before.activation !== 'none') return false;
    const weighted = before.kind === 'conv' || before.kind === 'gemm';
    const others = node.inputs.filter((name) => name !== input && name !== '');
    if (before.kind === 'conv' && !before.int8) {
      if (node.op === 'BatchNormalization') return true;
      const scaling = node.op === 'Mul' || node.op === 'Add' || node.op === 'Sub';
      if (scaling && others.every((name) => this.isPerChannel(name, before.cout))) return true;
    }
    if (
      before.kind === 'gemm' &&
      node.op === 'Add' &&
      others.every((name) => this.isConstant(name))
    ) {
      return true;
    }
    const taken = before.int8 ? SATURATED : ACTIVATIONS;
    if (!taken.has(node.op)) return false;
    if (before.int8 || weighted || before.mergesInto !== null) {
      before.activation = node.op === 'Relu' ? 'relu' : 'other';
      return true;
    }
    return false;
  }

  private append(node: Node, inputs: readonly string[]): void {
    const int8 = this.runsInt8(node);
    const data = inputs.filter((name) => !this.isConstant(name));
    const from = data.map((name) => (int8 ? this.asInt8(name) : this.asFloat(name)));
    const [output = ''] = node.outputs;
    const first = data[0] ?? '';
    const [cin, ih, iw] = this.planes(first);
    const [cout, oh, ow] = this.planes(output);
    const entry: CostNode = {
      ...{ name: node.outputs[0] ?? node.key, kind: kindOf(node, from.length), int8, inputs: from },
      ...{ cin, cout, ih, iw, oh, ow, group: 1, kh: 1, kw: 1, stride: 1, pads: [0, 0, 0, 0] },
      ...{ activation: 'none', mergesInto: null },
    };
    this.specialise(entry, node, first, output);
    this.nodes.push(entry);
    if (node.op === 'BatchNormalization') {
      // By itself it works out scale and shift from four vectors, and then passes twice.
      for (let pass = 1; pass < BATCH_NORMALIZATION_PASSES; pass++) {
        this.nodes.push({ ...entry, inputs: [this.nodes.length - 1] });
      }
    }
    const at = this.nodes.length - 1;
    const quantized = int8 && (this.assumeInt8 || this.leadsToQuantizer(output));
    for (const name of node.outputs) this.origins.set(name, { node: at, int8: quantized });
  }

  private specialise(entry: CostNode, node: Node, input: string, output: string): void {
    switch (entry.kind) {
      case 'conv': {
        const weight = this.dims(node, this.weightName(node));
        const [kh = 1, kw = 1] = weight.slice(2);
        entry.kh = kh;
        entry.kw = weight.length > 3 ? kw : 1;
        entry.group = attrInt(node, 'group', 1);
        this.setWindow(entry, node);
        break;
      }
      case 'gemm': {
        const shape = this.dims(node, input);
        const result = this.dims(node, output);
        const transposed = node.op === 'Gemm' && attrInt(node, 'transA', 0) === 1;
        entry.cin = (transposed ? shape[0] : shape.at(-1)) ?? 1;
        entry.cout = result.at(-1) ?? 1;
        entry.oh = result.slice(0, -1).reduce((product, dim) => product * dim, 1);
        entry.ih = entry.oh;
        entry.iw = entry.ow = 1;
        break;
      }
      case 'pool': {
        const all = node.op.startsWith('Global') || node.op === 'ReduceMean';
        const [kh = 1, kw = 1] = attrInts(node, 'kernel_shape') ?? [];
        entry.kh = all ? entry.ih : kh;
        entry.kw = all ? entry.iw : kw;
        if (!all) this.setWindow(entry, node);
        break;
      }
      case 'add':
        entry.mergesInto = this.mergeTarget(node, entry.inputs);
        break;
      default:
    }
  }

  private setWindow(entry: CostNode, node: Node): void {
    entry.stride = attrInts(node, 'strides')?.[0] ?? 1;
    const dilation = attrInts(node, 'dilations')?.[0] ?? 1;
    const [top = 0, left = 0, bottom = 0, right = 0] = attrInts(node, 'pads') ?? [];
    const automatic = attrString(node, 'auto_pad', 'NOTSET');
    if (automatic.startsWith('SAME')) {
      const missing = (out: number, k: number, size: number) =>
        Math.max(0, (out - 1) * entry.stride + (k - 1) * dilation + 1 - size);
      const high = missing(entry.oh, entry.kh, entry.ih);
      const wide = missing(entry.ow, entry.kw, entry.iw);
      entry.pads = [high >> 1, wide >> 1, high - (high >> 1), wide - (wide >> 1)];
    } else {
      entry.pads = [top, left, bottom, right];
    }
  }

  /** The later of a sum's convolutions, if it has no other reader and no activation yet. */
  private mergeTarget(node: Node, from: readonly number[]): number | null {
    if (from.length !== 2 || from[0] === from[1]) return null;
    const order = [...from.keys()].sort((a, b) => (from[b] ?? 0) - (from[a] ?? 0));
    for (const position of order) {
      const at = from[position] ?? -1;
      const before = this.nodes[at];
      const name = node.inputs[position] ?? '';
      if (
        before?.kind === 'conv' &&
        !before.int8 &&
        before.activation === 'none' &&
        this.readers(name) === 1
      ) {
        return at;
      }
    }
    return null;
  }

  private runsInt8(node: Node): boolean {
    if (!QUANTIZABLE.has(node.op)) return false;
    const data = node.inputs.filter((name) => name !== '' && !this.isConstant(name));
    if (this.assumeInt8) {
      if (KEPT_FLOAT.has(node.op)) return false;
      // What only moves values runs in whatever form they already have.
      const moves = !['Conv', 'Gemm', 'MatMul', 'Add'].includes(node.op);
      return !moves || data.every((name) => this.origins.get(name)?.int8);
    }
    if (!data.every((name) => this.origins.get(name)?.int8)) return false;
    // A quantized matrix product can hand out floats; nothing else does.
    const product = node.op === 'Gemm' || node.op === 'MatMul';
    return product || this.leadsToQuantizer(node.outputs[0] ?? '');
  }

  private leadsToQuantizer(name: string): boolean {
    const readers = this.graph.consumers(name);
    if (this.graph.isOutput(name) || readers.length === 0) return false;
    return readers.every(
      (reader) =>
        reader.op === 'QuantizeLinear' ||
        (SATURATED.has(reader.op) && this.leadsToQuantizer(reader.outputs[0] ?? '')),
    );
  }

  private asInt8(name: string): number {
    const origin = this.origins.get(name);
    if (!origin || origin.int8) return origin?.node ?? -1;
    return this.convert('quantize', name, origin.node);
  }

  private asFloat(name: string): number {
    const origin = this.origins.get(name);
    if (!origin?.int8) return origin?.node ?? -1;
    return this.convert('dequantize', name, origin.node);
  }

  private convert(kind: 'quantize' | 'dequantize', name: string, from: number): number {
    const known = this.converted.get(from);
    if (known !== undefined) return known;
    const [c, h, w] = this.planes(name);
    const at = this.nodes.push({
      ...{ name, kind, int8: true, inputs: [from], cin: c, cout: c, ih: h, iw: w, oh: h, ow: w },
      ...{ group: 1, kh: 1, kw: 1, stride: 1, pads: [0, 0, 0, 0] },
      ...{ activation: 'none', mergesInto: null },
    });
    this.converted.set(from, at - 1);
    return at - 1;
  }

  private isConstant(name: string): boolean {
    return (
      this.constants.has(name) ||
      this.graph.isInitializer(name) ||
      this.graph.producer(name)?.op === 'Constant'
    );
  }

  private isPerChannel(name: string, channels: number): boolean {
    if (!this.isConstant(name)) return false;
    const dims = this.shapes.get(name)?.dims ?? this.graph.constant(name)?.dims ?? [];
    const count = dims.reduce((product, dim) => product * dim, 1);
    return count === 1 || (count === channels && dims.at(-3) === channels);
  }

  private readers(name: string): number {
    return this.graph.consumers(name).length + (this.graph.isOutput(name) ? 1 : 0);
  }

  private weightName(node: Node): string {
    return node.inputs[1] ?? '';
  }

  private dims(node: Node, name: string): readonly number[] {
    const dims = this.shapes.get(name)?.dims ?? this.graph.constant(name)?.dims;
    if (!dims) {
      throw new TuningError(
        'TUNING_GRAPH',
        `The shape of "${name}" at the ${node.op} node "${node.key}" is not known; give the model's inputs fixed dimensions.`,
      );
    }
    return dims;
  }

  /** Channels, height and width of a value; whatever else it has counts as height. */
  private planes(name: string): [number, number, number] {
    const dims = this.shapes.get(name)?.dims ?? [];
    const [n = 1, c = 1, ...space] = dims;
    if (dims.length < 2) return [n, 1, 1];
    const [h = 1, ...rest] = space.length > 1 ? space : [1, ...space];
    return [c, n * h, rest.reduce((product, dim) => product * dim, 1)];
  }
}

function kindOf(node: Node, inputs: number): NodeKind {
  const { op } = node;
  if (op === 'Conv') return 'conv';
  if (op === 'Gemm' || op === 'MatMul') return 'gemm';
  if (op.endsWith('Pool') || op === 'ReduceMean') return 'pool';
  if (op === 'Softmax' || op === 'LogSoftmax') return 'softmax';
  if (op === 'Transpose') return 'transpose';
  if (VIEWS.has(op)) return 'view';
  if (COPIES.has(op)) return 'copy';
  if (TRANSCENDENTAL.has(op)) return 'transcendental';
  return inputs > 1 ? 'add' : 'elementwise';
}
