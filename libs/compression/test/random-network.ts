import { type Random, seededRandom } from '@espalier/dataset';
import {
  type Attributes,
  buildModel,
  floatTensor,
  int64Tensor,
  type Model,
  type NewNode,
  type Tensor,
} from '@espalier/onnx';

/** Constructions that a network may be made of; a test counts how often each occurs. */
export const FEATURES = [
  'conv', 'depthwise', 'grouped', 'transposed', 'batch-normalization', 'activation', 'prelu',
  'residual', 'fan-out', 'concat', 'split', 'slice', 'shuffle', 'squeeze-excite', 'pool', 'pad', 'resize',
  'pre-activation', 'flatten', 'gemm', 'matmul', 'reduce-mean', 'nhwc',
] as const; // prettier-ignore
export type Feature = (typeof FEATURES)[number];

export interface RandomNetwork {
  readonly model: Model;
  readonly features: ReadonlySet<Feature>;
  readonly inputDims: (batch: number) => number[];
  /** Outputs of producers whose channels can be cut by construction. */
  readonly prunable: readonly string[];
}

interface Value {
  readonly name: string;
  readonly channels: number;
  readonly size: number;
}

const ACTIVATIONS = ['Relu', 'HardSwish', 'Sigmoid', 'LeakyRelu', 'Tanh', 'Clip'] as const;

/** Grows a small network of random, valid blocks; the same seed gives the same network. */
export function randomNetwork(seed: number): RandomNetwork {
  return new Grower(seededRandom(seed)).grow();
}

class Grower {
  private readonly nodes: NewNode[] = [];
  private readonly initializers: Record<string, Tensor> = {};
  private readonly features = new Set<Feature>();
  private readonly prunable: string[] = [];
  private counter = 0;

  constructor(private readonly random: Random) {}

  grow(): RandomNetwork {
    const nhwc = this.random.next() < 0.2;
    const size = 8;
    let value: Value = { name: 'input', channels: 3, size };
    if (nhwc) {
      this.mark('nhwc');
      value = {
        ...value,
        name: this.node('Transpose', ['input'], { perm: { ints: [0, 3, 1, 2] } }),
      };
    }
    value = this.conv(value, this.width());
    const blocks = 3 + this.random.integer(4);
    for (let i = 0; i < blocks; i++) value = this.block(value);
    const output = this.head(value);
    const inputDims = (batch: number): number[] =>
      nhwc ? [batch, size, size, 3] : [batch, 3, size, size];
    const model = buildModel({
      inputs: [{ name: 'input', shape: ['n', ...inputDims(1).slice(1)] }],
      outputs: [{ name: output, shape: ['n', 5] }],
      nodes: this.nodes,
      initializers: this.initializers,
    });
    return { model, features: this.features, inputDims, prunable: this.prunable };
  }

  private block(x: Value): Value {
    const blocks: (() => Value)[] = [
      () => this.activate(this.normalize(this.conv(x, this.width()))),
      () => this.depthwise(this.activate(this.conv(x, this.width()))),
      () => this.residual(x),
      () => this.squeezeExcite(this.conv(x, this.width())),
      () => this.concat(x),
      () => this.splitParts(this.conv(x, 2 * this.width())),
      () => this.sliceHalf(this.conv(x, 2 * this.width())),
      () => this.shuffle(this.grouped(x)),
      () => this.pool(this.conv(x, this.width())),
      () => this.padded(this.activate(this.conv(x, this.width()))),
      () => this.preActivation(this.conv(x, this.width())),
      () => this.transposed(this.activate(this.conv(x, this.width()))),
      () => this.prelu(this.conv(x, this.width())),
    ];
    const chosen = blocks[this.random.integer(blocks.length)];
    return chosen ? chosen() : x;
  }

  private mark(feature: Feature): void {
    this.features.add(feature);
  }

  private width(): number {
    return 4 * (1 + this.random.integer(3));
  }

  private name(hint: string): string {
    return `${hint}_${this.counter++}`;
  }

  private node(op: string, inputs: string[], attributes: Attributes = {}): string {
    const output = this.name(op.toLowerCase());
    this.nodes.push({ op, name: `n_${output}`, inputs, outputs: [output], attributes });
    return output;
  }

  private weights(dims: number[], scale = 1): string {
    const count = dims.reduce((a, b) => a * b, 1);
    const fan = dims.slice(1).reduce((a, b) => a * b, 1) || 1;
    const name = this.name('w');
    this.initializers[name] = floatTensor(
      dims,
      Float32Array.from({ length: count }, () => (scale * this.random.normal()) / Math.sqrt(fan)),
    );
    return name;
  }

  private constant(values: number[]): string {
    const name = this.name('c');
    this.initializers[name] = int64Tensor([values.length], values);
    return name;
  }

  private positive(channels: number): string {
    const name = this.name('p');
    this.initializers[name] = floatTensor(
      [channels],
      Float32Array.from({ length: channels }, () => 0.5 + this.random.next()),
    );
    return name;
  }

  private conv(x: Value, channels: number, kernel = this.random.next() < 0.5 ? 1 : 3): Value {
    this.mark('conv');
    const pad = (kernel - 1) / 2;
    const inputs = [x.name, this.weights([channels, x.channels, kernel, kernel])];
    if (this.random.next() < 0.8) inputs.push(this.weights([channels], 0.3));
    const name = this.node('Conv', inputs, { pads: { ints: [pad, pad, pad, pad] } });
    this.prunable.push(name);
    return { name, channels, size: x.size };
  }

  private grouped(x: Value): Value {
    this.mark('grouped');
    const stem = this.conv(x, 4 * (1 + this.random.integer(2)));
    const group = 2;
    const channels = 2 * this.width();
    const name = this.node(
      'Conv',
      [
        stem.name,
        this.weights([channels, stem.channels / group, 3, 3]),
        this.weights([channels], 0.3),
      ],
      { pads: { ints: [1, 1, 1, 1] }, group: { int: group } },
    );
    this.prunable.push(name);
    return { ...stem, name, channels };
  }

  private depthwise(x: Value): Value {
    this.mark('depthwise');
    const multiplier = this.random.next() < 0.25 ? 2 : 1;
    const channels = x.channels * multiplier;
    const name = this.node(
      'Conv',
      [x.name, this.weights([channels, 1, 3, 3]), this.weights([channels], 0.3)],
      {
        pads: { ints: [1, 1, 1, 1] },
        group: { int: x.channels },
      },
    );
    return { ...x, name, channels };
  }

  private transposed(x: Value): Value {
    this.mark('transposed');
    const channels = this.width();
    const name = this.node('ConvTranspose', [x.name, this.weights([x.channels, channels, 3, 3])], {
      pads: { ints: [1, 1, 1, 1] },
    });
    this.prunable.push(name);
    return { ...x, name, channels };
  }

  private normalize(x: Value): Value {
    this.mark('batch-normalization');
    const { channels } = x;
    const inputs = [
      x.name,
      this.positive(channels),
      this.weights([channels]),
      this.weights([channels]),
      this.positive(channels),
    ];
    return { ...x, name: this.node('BatchNormalization', inputs) };
  }

  private activate(x: Value): Value {
    this.mark('activation');
    const op = ACTIVATIONS[this.random.integer(ACTIVATIONS.length)] ?? 'Relu';
    if (op !== 'Clip') return { ...x, name: this.node(op, [x.name]) };
    const [low, high] = [this.name('low'), this.name('high')];
    this.initializers[low] = floatTensor([], [0]);
    this.initializers[high] = floatTensor([], [6]);
    return { ...x, name: this.node('Clip', [x.name, low, high]) };
  }

  private prelu(x: Value): Value {
    this.mark('prelu');
    return { ...x, name: this.node('PRelu', [x.name, this.weights([x.channels, 1, 1])]) };
  }

  private residual(x: Value): Value {
    this.mark('residual');
    this.mark('fan-out');
    const inner = this.activate(this.conv(x, this.width()));
    const closing = this.conv(inner, x.channels);
    return { ...x, name: this.node('Add', [closing.name, x.name]) };
  }

  private squeezeExcite(x: Value): Value {
    this.mark('squeeze-excite');
    this.mark('fan-out');
    const pooled = { ...x, size: 1, name: this.node('GlobalAveragePool', [x.name]) };
    const squeezed = this.activate(this.conv(pooled, 4, 1));
    const excited = this.conv(squeezed, x.channels, 1);
    const gate = this.node('Sigmoid', [excited.name]);
    return { ...x, name: this.node('Mul', [x.name, gate]) };
  }

  private concat(x: Value): Value {
    this.mark('concat');
    this.mark('fan-out');
    const [a, b] = [this.conv(x, this.width()), this.activate(this.conv(x, this.width()))];
    const parts = this.random.next() < 0.3 ? [a, b, a] : [a, b];
    const name = this.node(
      'Concat',
      parts.map((part) => part.name),
      { axis: { int: 1 } },
    );
    return { ...x, name, channels: parts.reduce((sum, part) => sum + part.channels, 0) };
  }

  private splitParts(x: Value): Value {
    this.mark('split');
    const half = x.channels / 2;
    const [a, b] = [this.name('part'), this.name('part')];
    this.nodes.push({
      op: 'Split', name: `n_${a}`, inputs: [x.name, this.constant([half, half])], outputs: [a, b],
      attributes: { axis: { int: 1 } },
    }); // prettier-ignore
    const left = this.conv({ ...x, name: a, channels: half }, this.width());
    const name = this.node('Concat', [b, left.name], { axis: { int: 1 } });
    return { ...x, name, channels: half + left.channels };
  }

  private sliceHalf(x: Value): Value {
    this.mark('slice');
    const from = 1 + this.random.integer(3);
    const name = this.node('Slice', [
      x.name,
      this.constant([from]),
      this.constant([9999]),
      this.constant([1]),
    ]);
    return { ...x, name, channels: x.channels - from };
  }

  private shuffle(x: Value): Value {
    this.mark('shuffle');
    const { channels, size } = x;
    const split = this.node('Reshape', [x.name, this.constant([-1, 2, channels / 2, size, size])]);
    const swapped = this.node('Transpose', [split], { perm: { ints: [0, 2, 1, 3, 4] } });
    const name = this.node('Reshape', [swapped, this.constant([-1, channels, size, size])]);
    return { ...x, name };
  }

  private pool(x: Value): Value {
    this.mark('pool');
    const op = this.random.next() < 0.5 ? 'MaxPool' : 'AveragePool';
    const attributes = { kernel_shape: { ints: [3, 3] }, pads: { ints: [1, 1, 1, 1] } };
    return { ...x, name: this.node(op, [x.name], attributes) };
  }

  private padded(x: Value): Value {
    this.mark('pad');
    const name = this.node('Pad', [x.name, this.constant([0, 0, 1, 1, 0, 0, 1, 1])]);
    const cropped = this.conv({ ...x, name, size: x.size + 2 }, this.width(), 3);
    if (this.random.next() < 0.5) {
      const inner = this.node('Slice', [
        cropped.name,
        this.constant([1, 1]),
        this.constant([-1, -1]),
        this.constant([2, 3]),
      ]);
      return { ...x, name: inner, channels: cropped.channels };
    }
    this.mark('resize');
    const scales = this.name('scales');
    this.initializers[scales] = floatTensor(
      [4],
      [1, 1, x.size / (x.size + 2), x.size / (x.size + 2)],
    );
    const resized = this.node('Resize', [cropped.name, '', scales], {
      mode: { string: 'nearest' },
    });
    return { ...x, name: resized, channels: cropped.channels };
  }

  private preActivation(x: Value): Value {
    this.mark('pre-activation');
    const relu = { ...x, name: this.node('Relu', [x.name]) };
    return this.conv(this.activate(this.normalize(relu)), this.width());
  }

  private head(x: Value): string {
    const kind = this.random.integer(4);
    if (kind === 0) {
      this.mark('flatten');
      this.mark('gemm');
      const small = this.pooledTo(x, 2);
      const flat = this.node('Flatten', [small.name]);
      return this.node('Gemm', [flat, this.weights([5, small.channels * 4]), this.weights([5])], {
        transB: { int: 1 },
      });
    }
    if (kind === 1) {
      this.mark('reduce-mean');
      this.mark('matmul');
      const mean = this.node('ReduceMean', [x.name], {
        axes: { ints: [2, 3] },
        keepdims: { int: 0 },
      });
      return this.node('MatMul', [mean, this.weights([x.channels, 5])]);
    }
    const pooled = this.node('GlobalAveragePool', [x.name]);
    const flat =
      kind === 2
        ? this.node('Flatten', [pooled])
        : this.node('Reshape', [pooled, this.constant([0, -1])]);
    this.mark('gemm');
    return this.node('Gemm', [flat, this.weights([x.channels, 5]), this.weights([5])]);
  }

  private pooledTo(x: Value, size: number): Value {
    const kernel = Math.floor(x.size / size);
    const attributes = {
      kernel_shape: { ints: [kernel, kernel] },
      strides: { ints: [kernel, kernel] },
    };
    return { ...x, size, name: this.node('AveragePool', [x.name], attributes) };
  }
}
