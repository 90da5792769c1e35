import {
  type Attributes,
  buildModel,
  floatTensor,
  type Model,
  type NewNode,
  type Tensor,
  tensorOf,
  uint8Tensor,
} from '@espalier/onnx';
import { type Kernel, NETWORK_LAYERS } from '@espalier/protocol';

/** The feed of a chain: its input's name and shape. */
export function chainInput(kernel: Kernel): { name: string; shape: readonly number[] } {
  const { op, cin, size, width } = kernel;
  return { name: 'x', shape: op === 'gemm' ? [1, cin] : [1, cin, size, width] };
}

/**
 * A kernel repeated `steps` times in a row as a model of its own. Each step has weights of its own,
 * as in a network: the runtime would keep equal ones once.
 */
export function chainModel(kernel: Kernel, precision: 'fp32' | 'int8', steps: number): Model {
  const chain = new Chain(precision === 'int8');
  const { name, shape } = chainInput(kernel);
  const start = kernel.weights === 'near' ? name : chain.woken(kernel, name, shape);
  let value = kernel.op === 'negate' || kernel.op === 'quantize' ? start : chain.quantized(start);
  for (let step = 0; step < steps; step++) {
    const back = step % 2 === 1 && kernel.op !== 'block';
    const [cin, cout] = back ? [kernel.cout, kernel.cin] : [kernel.cin, kernel.cout];
    value = chain.append(kernel, value, cin, cout);
  }
  // A small output: to hand out a large one would cost more than the chain.
  const end = kernel.op === 'gemm' ? (steps === 0 ? 'Neg' : null) : 'GlobalAveragePool';
  const output = end === null ? value : chain.node(end, [value]);
  return buildModel({
    inputs: [{ name, shape }],
    outputs: [{ name: output }],
    nodes: chain.nodes,
    initializers: chain.initializers,
  });
}

/** Enough for several threads to share a layer of a thousand elements. */
const WAKING_CHANNELS = 16;
/** From so many elements on, one weight for each is enough for that. */
const MANY = 4096;
/** Room for the places at which later steps begin. */
const PLACES = 256;

class Chain {
  readonly nodes: NewNode[] = [];
  readonly initializers: Record<string, Tensor> = {};
  private previous: string | null = null;
  private sequence: Float32Array = new Float32Array(0);

  constructor(private readonly int8: boolean) {}

  append(kernel: Kernel, value: string, cin: number, cout: number): string {
    switch (kernel.op) {
      case 'conv':
        return this.convolution(kernel, value, cin, cout);
      case 'block': {
        const { cin: narrow, cout: wide } = kernel;
        const pointwise = { ...kernel, kernel: 1, group: 1 };
        const expanded = this.convolution(pointwise, value, narrow, wide);
        const depthwise = { ...kernel, kernel: 3, group: wide };
        const filtered = this.convolution(depthwise, expanded, wide, wide);
        const reduced = this.quantized(this.weighted(pointwise, filtered, wide, narrow));
        return this.quantized(this.node('Add', [reduced, value]));
      }
      case 'network': {
        const values = [value];
        for (const { adds, cin: depth, cout: width, ...shape } of NETWORK_LAYERS) {
          const before = values.at(-1) ?? value;
          const layer = { ...kernel, ...shape };
          const other = adds === null ? undefined : values.at(-adds);
          values.push(
            other === undefined
              ? this.convolution(layer, before, depth, width)
              : this.quantized(
                  this.node('Add', [
                    this.quantized(this.weighted(layer, before, depth, width)),
                    other,
                  ]),
                ),
          );
        }
        return values.at(-1) ?? value;
      }
      case 'gemm': {
        const weighted = this.node('Gemm', [value, ...this.weights([cin, cout], cout, 1)]);
        return this.quantized(this.node('Relu', [weighted]));
      }
      case 'add': {
        const sum = this.node('Add', [value, this.previous ?? value]);
        this.previous = value;
        return this.quantized(sum);
      }
      case 'pool': {
        const pad = kernel.kernel >> 1;
        return this.quantized(
          this.node('AveragePool', [value], {
            kernel_shape: { ints: [kernel.kernel, kernel.kernel] },
            pads: { ints: [pad, pad, pad, pad] },
            strides: { ints: [1, 1] },
          }),
        );
      }
      case 'negate':
        return this.node('Neg', [value]);
      case 'quantize':
        return this.quantized(this.node('Neg', [value]));
      case 'transpose': {
        const turned = this.quantized(
          this.node('Transpose', [value], { perm: { ints: [0, 2, 3, 1] } }),
        );
        const { cin, size, width } = kernel;
        return this.quantized(this.reshaped('shape', turned, [1, cin, size, width]));
      }
    }
  }

  /**
   * The value after two layers that all threads take part in, of its own shape: before a run that finds
   * its weights in memory they slept, and to wake them takes as long as much of what is to be timed.
   */
  woken(kernel: Kernel, value: string, shape: readonly number[]): string {
    const elements = shape.reduce((product, dim) => product * dim, 1);
    const layer = { ...kernel, kernel: elements > MANY ? 1 : 5, stride: 1, group: 1 };
    const image = this.reshaped('image', value, [1, 1, 8, elements / 8]);
    const wide = this.convolution(layer, image, 1, WAKING_CHANNELS);
    return this.reshaped('own', this.convolution(layer, wide, WAKING_CHANNELS, 1), shape);
  }

  private reshaped(name: string, value: string, dims: readonly number[]): string {
    const data = BigInt64Array.from(dims.map(BigInt));
    return this.node('Reshape', [
      value,
      this.constant(name, { dtype: 'int64', dims: [dims.length], data }),
    ]);
  }

  private convolution(kernel: Kernel, value: string, cin: number, cout: number): string {
    return this.quantized(
      this.activated(this.weighted(kernel, value, cin, cout), kernel.activation),
    );
  }

  private weighted(kernel: Kernel, value: string, cin: number, cout: number): string {
    const pad = kernel.kernel >> 1;
    const shape = [cout, cin / kernel.group, kernel.kernel, kernel.kernel];
    return this.node('Conv', [value, ...this.weights(shape, cout, 0)], {
      kernel_shape: { ints: [kernel.kernel, kernel.kernel] },
      pads: { ints: [pad, pad, pad, pad] },
      strides: { ints: [kernel.stride, kernel.stride] },
      group: { int: kernel.group },
    });
  }

  private activated(value: string, activation: Kernel['activation']): string {
    if (activation === 'relu') return this.node('Relu', [value]);
    const low = this.constant('low', floatTensor([], [0]));
    const high = this.constant('high', floatTensor([], [6]));
    return this.node('Clip', [value, low, high]);
  }

  /** The value through a QuantizeLinear and back, as a statically quantized model carries it. */
  quantized(value: string): string {
    if (!this.int8) return value;
    const scale = this.constant('scale', floatTensor([], [0.05]));
    const zero = this.constant('zero', uint8Tensor([], [0]));
    const bytes = this.node('QuantizeLinear', [value, scale, zero]);
    return this.node('DequantizeLinear', [bytes, scale, zero]);
  }

  private weights(shape: readonly number[], cout: number, axis: number): [string, string] {
    const count = shape.reduce((product, dim) => product * dim, 1);
    const at = this.nodes.length;
    const floats = this.numbers(count + cout, at);
    const [weights, biases] = [floats.subarray(0, count), floats.subarray(count)];
    if (!this.int8) {
      return [
        this.constant(`weight${at}`, tensorOf('float32', shape, weights)),
        this.constant(`bias${at}`, tensorOf('float32', [cout], biases)),
      ];
    }
    const bytes = new Int8Array(count);
    weights.forEach((value, index) => (bytes[index] = value * 1270));
    const integers = new Int32Array(cout);
    biases.forEach((value, index) => (integers[index] = value * 500));
    const perChannel = (scale: number) =>
      tensorOf('float32', [cout], new Float32Array(cout).fill(scale));
    const weight = this.node(
      'DequantizeLinear',
      [
        this.constant(`weight${at}`, tensorOf('int8', shape, bytes)),
        this.constant(`weightScale${at}`, perChannel(0.01)),
        this.constant(`weightZero${at}`, tensorOf('int8', [cout], new Int8Array(cout))),
      ],
      { axis: { int: axis } },
    );
    const bias = this.node(
      'DequantizeLinear',
      [
        this.constant(`bias${at}`, tensorOf('int32', [cout], integers)),
        this.constant(`biasScale${at}`, perChannel(0.0005)),
        this.constant(`biasZero${at}`, tensorOf('int32', [cout], new Int32Array(cout))),
      ],
      { axis: { int: 0 } },
    );
    return [weight, bias];
  }

  /** Numbers of one sequence, from another place for each step: steps must differ, and memory is dear. */
  private numbers(count: number, from: number): Float32Array {
    if (this.sequence.length < from + count) this.sequence = noise(2 * from + count + PLACES, 0);
    return this.sequence.subarray(from, from + count);
  }

  /** Appends an operator and names its output. */
  node(op: string, inputs: readonly string[], attributes: Attributes = {}): string {
    const output = `v${this.nodes.length}`;
    this.nodes.push({ op, inputs, outputs: [output], attributes });
    return output;
  }

  private constant(name: string, tensor: Tensor): string {
    this.initializers[name] = tensor;
    return name;
  }
}

/** Uniform in -0.1 to 0.1, the same on every device: a linear congruential sequence. */
export function noise(count: number, seed: number): Float32Array {
  const values = new Float32Array(count);
  let state = seed;
  for (let index = 0; index < count; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    values[index] = (state / 2 ** 31 - 1) / 10;
  }
  return values;
}
