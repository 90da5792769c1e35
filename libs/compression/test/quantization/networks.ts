import { seededRandom } from '@espalier/dataset';
import {
  buildModel,
  floatTensor,
  graphOf,
  int64Tensor,
  type Model,
  type NewNode,
  openSession,
  readModel,
  type Tensor,
  toFloat32,
} from '@espalier/onnx';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fusionOf, type Fusion } from '../../src/quantization/index.js';
import type { QuantizeContext } from '../../src/quantization/quantize-model.js';
import { GramEngine } from '../../src/statistics/gram.js';
import type { Samples } from '../../src/statistics/samples.js';

/** Draws the constants of a network, and writes its layers. */
export class NetworkBuilder {
  readonly nodes: NewNode[] = [];
  readonly initializers: Record<string, Tensor> = {};
  private readonly random;

  constructor(seed = 1) {
    this.random = seededRandom(seed);
  }

  tensor(dims: readonly number[], size: number): Tensor {
    const length = dims.reduce((a, b) => a * b, 1);
    return floatTensor(
      dims,
      Float32Array.from({ length }, () => (this.random.next() * 2 - 1) * size),
    );
  }

  constant(name: string, tensor: Tensor): this {
    this.initializers[name] = tensor;
    return this;
  }

  add(
    op: string,
    inputs: readonly string[],
    outputs: readonly string[],
    attributes: NewNode['attributes'] = {},
  ): this {
    this.nodes.push({ op, inputs, outputs, attributes });
    return this;
  }

  /** A square Conv that keeps the spatial size. */
  conv(
    input: string,
    output: string,
    [outputs, inputs, kernel]: readonly [number, number, number],
    options: { group?: number; bias?: boolean } = {},
  ): this {
    const group = options.group ?? 1;
    const size = 1.7 / Math.sqrt((inputs / group) * kernel * kernel);
    this.constant(`${output}_w`, this.tensor([outputs, inputs / group, kernel, kernel], size));
    const names = [input, `${output}_w`];
    if (options.bias !== false) {
      this.constant(`${output}_b`, this.tensor([outputs], 0.2));
      names.push(`${output}_b`);
    }
    const pad = (kernel - 1) / 2;
    return this.add('Conv', names, [output], {
      kernel_shape: { ints: [kernel, kernel] },
      pads: { ints: [pad, pad, pad, pad] },
      group: { int: group },
    });
  }

  pool(input: string, output: string): this {
    this.add('GlobalAveragePool', [input], [`${output}_pooled`]);
    return this.add('Flatten', [`${output}_pooled`], [output]);
  }

  model(opset: number, batch: number | string = 'N'): Model {
    return buildModel({
      opset,
      inputs: [{ name: 'x', shape: [batch, 3, 8, 8] }],
      outputs: [{ name: 'y' }],
      nodes: this.nodes,
      initializers: this.initializers,
    });
  }
}

/** Networks with the joints that real ones have; `floatLayers` have no integer kernel. */
export const NETWORKS: Readonly<Record<string, { model: Model; floatLayers: number }>> = {
  'inverted residuals with ReLU6': {
    model: new NetworkBuilder(1)
      .constant('low', floatTensor([], [0]))
      .constant('high', floatTensor([], [6]))
      .conv('x', 'a', [8, 3, 3])
      .conv('a', 'b', [24, 8, 1])
      .add('Clip', ['b', 'low', 'high'], ['br'])
      .conv('br', 'c', [24, 24, 3], { group: 24 })
      .add('Clip', ['c', 'low', 'high'], ['cr'])
      .conv('cr', 'd', [8, 24, 1], { bias: false })
      .add('Add', ['a', 'd'], ['e'])
      .conv('e', 'f', [10, 8, 1])
      .pool('f', 'y')
      .model(13),
    floatLayers: 0,
  },
  'squeeze-excite with HardSwish': {
    model: new NetworkBuilder(2)
      .conv('x', 'a', [16, 3, 3])
      .add('HardSwish', ['a'], ['h'])
      .add('GlobalAveragePool', ['h'], ['g'])
      .conv('g', 's', [4, 16, 1])
      .add('Relu', ['s'], ['sr'])
      .conv('sr', 't', [16, 4, 1])
      .add('Sigmoid', ['t'], ['gate'])
      .add('Mul', ['h', 'gate'], ['m'])
      .conv('m', 'c', [12, 16, 3])
      .pool('c', 'f')
      .constant('w', new NetworkBuilder(9).tensor([12, 10], 0.5))
      .constant('b', new NetworkBuilder(8).tensor([10], 0.2))
      .add('Gemm', ['f', 'w', 'b'], ['y'], { alpha: { float: 0.5 }, beta: { float: 2 } })
      .model(14),
    floatLayers: 0,
  },
  'concatenation and pools': {
    model: new NetworkBuilder(3)
      .conv('x', 'a', [16, 3, 3])
      .add('Relu', ['a'], ['ar'])
      .conv('ar', 'b', [8, 16, 3])
      .add('Relu', ['b'], ['br'])
      .add('Concat', ['ar', 'br'], ['k'], { axis: { int: 1 } })
      .conv('k', 'c', [12, 24, 1])
      .add('MaxPool', ['c'], ['p'], { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } })
      .add('Relu', ['p'], ['pr'])
      .conv('pr', 'd', [10, 12, 3])
      .add('AveragePool', ['d'], ['q'], { kernel_shape: { ints: [4, 4] } })
      .add('Flatten', ['q'], ['y'])
      .model(13),
    floatLayers: 0,
  },
  'grouped Conv and channel shuffle': {
    model: new NetworkBuilder(4)
      .constant('apart', int64Tensor([5], [0, 4, 4, 8, 8]))
      .constant('together', int64Tensor([4], [0, 16, 8, 8]))
      .conv('x', 'a', [16, 3, 3])
      .add('Relu', ['a'], ['ar'])
      .conv('ar', 'b', [16, 16, 1], { group: 4 })
      .add('Relu', ['b'], ['br'])
      .add('Reshape', ['br', 'apart'], ['r'])
      .add('Transpose', ['r'], ['t'], { perm: { ints: [0, 2, 1, 3, 4] } })
      .add('Reshape', ['t', 'together'], ['u'])
      .conv('u', 'c', [16, 16, 3], { group: 16 })
      .conv('c', 'd', [16, 16, 1], { group: 4 })
      .add('Add', ['d', 'ar'], ['e'])
      .add('Relu', ['e'], ['er'])
      .add('Split', ['er'], ['p', 'q'], { axis: { int: 1 } })
      .add('Concat', ['q', 'p'], ['k'], { axis: { int: 1 } })
      .conv('k', 'f', [10, 16, 3])
      .add('ReduceMean', ['f'], ['y'], { axes: { ints: [2, 3] }, keepdims: { int: 0 } })
      .model(13),
    floatLayers: 0,
  },
  'ConvTranspose, PRelu, Resize': {
    model: new NetworkBuilder(5)
      .constant('tw', new NetworkBuilder(7).tensor([8, 6, 2, 2], 0.4))
      .constant('slope', new NetworkBuilder(6).tensor([10, 1, 1], 0.3))
      .constant('scales', floatTensor([4], [1, 1, 2, 2]))
      .conv('x', 'a', [8, 3, 3])
      .add('LeakyRelu', ['a'], ['ar'], { alpha: { float: 0.1 } })
      .add('ConvTranspose', ['ar', 'tw'], ['t'], {
        strides: { ints: [2, 2] },
        kernel_shape: { ints: [2, 2] },
      })
      .add('Relu', ['t'], ['tr'])
      .conv('tr', 'c', [10, 6, 3])
      .add('PRelu', ['c', 'slope'], ['p'])
      .add('Resize', ['p', '', 'scales'], ['s'])
      .conv('s', 'd', [10, 10, 3])
      .pool('d', 'y')
      .model(15),
    floatLayers: 1,
  },
  'MatMul with and without bias': {
    model: new NetworkBuilder(6)
      .constant('m1', new NetworkBuilder(5).tensor([192, 24], 0.15))
      .constant('m2', new NetworkBuilder(4).tensor([24, 16], 0.4))
      .constant('bias', new NetworkBuilder(3).tensor([16], 0.3))
      .constant('m3', new NetworkBuilder(2).tensor([16, 10], 0.4))
      .add('Flatten', ['x'], ['f'])
      .add('MatMul', ['f', 'm1'], ['a'])
      .add('Relu', ['a'], ['ar'])
      .add('Gemm', ['ar', 'm2', 'bias'], ['b'])
      .add('Relu', ['b'], ['br'])
      .add('MatMul', ['br', 'm3'], ['y'])
      .model(17),
    floatLayers: 0,
  },
  'Gemm with activations between and after': {
    model: new NetworkBuilder(9)
      .constant('w1', new NetworkBuilder(5).tensor([192, 16], 0.15))
      .constant('w2', new NetworkBuilder(4).tensor([16, 16], 0.4))
      .constant('w3', new NetworkBuilder(3).tensor([10, 16], 0.4))
      .constant('bias', new NetworkBuilder(2).tensor([16], 0.3))
      .add('Flatten', ['x'], ['f'])
      .add('Gemm', ['f', 'w1', 'bias'], ['a'])
      .add('Relu', ['a'], ['ar'])
      .add('Gemm', ['ar', 'w2'], ['b'])
      .add('Tanh', ['b'], ['bt'])
      .add('Gemm', ['bt', 'w3'], ['c'], { transB: { int: 1 } })
      .add('Sigmoid', ['c'], ['y'])
      .model(13),
    floatLayers: 0,
  },
  'pre-activation BatchNormalization, opset 11': {
    model: new NetworkBuilder(7)
      .constant('scale', floatTensor([8], new Float32Array(8).fill(0.9)))
      .constant('shift', new NetworkBuilder(1).tensor([8], 0.5))
      .constant('mean', new NetworkBuilder(2).tensor([8], 0.5))
      .constant('variance', floatTensor([8], new Float32Array(8).fill(0.8)))
      .conv('x', 'a', [8, 3, 3])
      .add('MaxPool', ['a'], ['p'], { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } })
      .add('BatchNormalization', ['p', 'scale', 'shift', 'mean', 'variance'], ['n'])
      .add('Relu', ['n'], ['nr'])
      .conv('nr', 'b', [10, 8, 3])
      .add('GlobalAveragePool', ['b'], ['g'])
      .add('Squeeze', ['g'], ['y'], { axes: { ints: [2, 3] } })
      .model(11),
    floatLayers: 0,
  },
  'Clip by attributes and Softmax, opset 9, fixed batch': {
    model: new NetworkBuilder(8)
      .conv('x', 'a', [8, 3, 3])
      .add('Clip', ['a'], ['ar'], { min: { float: -0.5 }, max: { float: 1 } })
      .conv('ar', 'b', [10, 8, 3])
      .pool('b', 'f')
      .add('Softmax', ['f'], ['y'], { axis: { int: 1 } })
      .model(9, 5),
    floatLayers: 0,
  },
};

/** Samples drawn at random, the same for the same seed. */
export function randomSamples(
  count: number,
  seed: number,
  batch = 16,
  fixedBatch = false,
): Samples {
  const size = 3 * 8 * 8;
  const data = toFloat32(new NetworkBuilder(seed).tensor([count, size], 1));
  return {
    count,
    batch,
    fixedBatch,
    labels: undefined,
    feed: (indices) => {
      const rows = new Float32Array(indices.length * size);
      indices.forEach((sample, row) =>
        rows.set(data.subarray(sample * size, (sample + 1) * size), row * size),
      );
      return { x: floatTensor([indices.length, 3, 8, 8], rows) };
    },
  };
}

/** A run with three quarters of the samples to fit on; the engine is released after it. */
export async function withContext<T>(
  samples: Samples,
  output: QuantizeContext['output'],
  action: (context: QuantizeContext) => Promise<T>,
): Promise<T> {
  const engine = await GramEngine.open(1);
  const all = Array.from({ length: samples.count }, (_, i) => i);
  const cut = Math.floor(samples.count * 0.75);
  try {
    return await action({
      samples,
      indices: all.slice(0, cut),
      heldOut: all.slice(cut),
      output,
      engine,
      settings: { threads: 1, seed: 1 },
    });
  } finally {
    await engine.release();
  }
}

/** What ONNX Runtime makes of the layers of a model. */
export async function fusedLayers(model: Model): Promise<Fusion> {
  const folder = mkdtempSync(path.join(tmpdir(), 'espalier-fusion-'));
  try {
    const file = path.join(folder, 'optimized.onnx');
    const session = await openSession(model, { optimizedModelPath: file });
    await session.release();
    return fusionOf(readModel(readFileSync(file)));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Integer weights of each layer of an int8 model, as its file has them. */
export function integerWeights(model: Model): {
  op: string;
  group: number;
  dims: readonly number[];
  outputAxis: number;
  data: Int8Array;
  zeroPoint: readonly number[];
  bias: Int32Array | undefined;
}[] {
  const graph = graphOf(model);
  return graph.nodes.flatMap((node) => {
    const weight = graph.producer(node.inputs[1] ?? '');
    if (weight?.op !== 'DequantizeLinear') return [];
    const tensor = graph.constant(weight.inputs[0] ?? '');
    if (!(tensor?.data instanceof Int8Array)) return [];
    const bias = graph.producer(node.inputs[2] ?? '');
    const integers = graph.constant(bias?.inputs[0] ?? '')?.data;
    const attribute = (name: string): number | undefined => {
      const found = node.proto.attribute.find((a) => a.name === name);
      return found && Number(found.i);
    };
    return [
      {
        op: node.op,
        group: attribute('group') ?? 1,
        dims: tensor.dims,
        outputAxis: node.op === 'Conv' || attribute('transB') === 1 ? 0 : 1,
        data: tensor.data,
        zeroPoint: [...(graph.constant(weight.inputs[2] ?? '')?.data ?? [])].map(Number),
        bias: integers instanceof Int32Array ? integers : undefined,
      },
    ];
  });
}
