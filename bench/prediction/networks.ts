import {
  type Attributes,
  buildModel,
  floatTensor,
  type Model,
  type NewNode,
  type Tensor,
} from '@espalier/onnx';
import { type Random } from '@espalier/dataset';

/** Networks of more than 50 MiB, made because the trained ones at hand are small. */
export const LARGE_NETWORKS: Readonly<Record<string, (random: Random) => Model>> = {
  'made-convolutions': (random) => {
    const net = new Network(random, [3, 16, 16]);
    net.conv(64, 3).conv(128, 3, 2).conv(256, 3, 2);
    for (let at = 0; at < 6; at++) net.conv(512, 3, at === 0 ? 2 : 1);
    return net.classify(100);
  },
  'made-products': (random) => {
    const net = new Network(random, [640]);
    for (const width of [2048, 2048, 2048, 1536, 1024]) net.gemm(width);
    return net.gemm(640).done();
  },
  'made-separable': (random) => {
    const net = new Network(random, [3, 32, 32]);
    net.conv(96, 3, 4).conv(768, 1);
    for (let at = 0; at < 9; at++) net.depthwise(3).conv(at < 2 ? 768 : 1536, 1);
    return net.classify(200);
  },
};

/** A chain of layers with random weights; the same randomness gives the same network. */
class Network {
  private readonly nodes: NewNode[] = [];
  private readonly initializers: Record<string, Tensor> = {};
  private value = 'input';
  private channels: number;

  constructor(
    private readonly random: Random,
    private readonly shape: readonly number[],
  ) {
    this.channels = shape[0] ?? 1;
  }

  conv(width: number, kernel: number, stride = 1, group = 1): this {
    const depth = this.channels / group;
    const names = this.parameters([width, depth, kernel, kernel], depth * kernel ** 2, width);
    const pad = kernel >> 1;
    this.node('Conv', [this.value, ...names], {
      kernel_shape: { ints: [kernel, kernel] },
      pads: { ints: [pad, pad, pad, pad] },
      strides: { ints: [stride, stride] },
      group: { int: group },
    });
    this.channels = width;
    return this.relu();
  }

  depthwise(kernel: number): this {
    return this.conv(this.channels, kernel, 1, this.channels);
  }

  gemm(width: number): this {
    const names = this.parameters([this.channels, width], this.channels, width);
    this.node('Gemm', [this.value, ...names]);
    this.channels = width;
    return this.relu();
  }

  classify(classes: number): Model {
    this.node('GlobalAveragePool', [this.value]);
    this.node('Flatten', [this.value]);
    return this.gemm(classes).done();
  }

  done(): Model {
    return buildModel({
      inputs: [{ name: 'input', shape: [1, ...this.shape] }],
      outputs: [{ name: this.value, shape: [1, this.channels] }],
      nodes: this.nodes,
      initializers: this.initializers,
    });
  }

  private relu(): this {
    this.node('Relu', [this.value]);
    return this;
  }

  private node(op: string, inputs: readonly string[], attributes: Attributes = {}): void {
    const output = `${op}_${this.nodes.length}`;
    this.nodes.push({ op, name: output, inputs: [...inputs], outputs: [output], attributes });
    this.value = output;
  }

  private parameters(dims: readonly number[], fanIn: number, width: number): string[] {
    const at = this.nodes.length;
    const scale = Math.sqrt(6 / fanIn);
    const uniform = (count: number, by: number) =>
      Float32Array.from({ length: count }, () => (2 * this.random.next() - 1) * by);
    const count = dims.reduce((product, dim) => product * dim, 1);
    this.initializers[`w${at}`] = floatTensor([...dims], uniform(count, scale));
    this.initializers[`b${at}`] = floatTensor([width], uniform(width, 0.1));
    return [`w${at}`, `b${at}`];
  }
}
