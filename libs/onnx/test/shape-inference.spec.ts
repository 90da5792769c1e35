/** @jest-environment ./libs/onnx/test/ort-environment.mjs */
import fc from 'fast-check';
import {
  buildModel,
  floatTensor,
  inferShapes,
  int64Tensor,
  int8Tensor,
  readModel,
  scalar,
  uint8Tensor,
  type Attributes,
  type DType,
  type Model,
  type NewNode,
  type Tensor,
} from '../src/index.js';
import { filled, shapeDifferences } from './against-ort.js';
import { realModels } from './models.js';

/** One node of an operator: an input is a shape (float32), a type with a shape, a constant, or left out. */
type Input = number[] | [DType, number[]] | Tensor | undefined;

interface Case {
  readonly op: string;
  readonly inputs: readonly Input[];
  readonly attributes?: Attributes;
  readonly outputs?: number;
  readonly opset?: number;
}

function modelOf({ op, inputs, attributes, outputs = 1, opset = 17 }: Case): Model {
  const named = inputs.map((input, index) => ({ name: `in${index}`, input }));
  const results = Array.from({ length: outputs }, (_, index) => `out${index}`);
  const node: NewNode = {
    op,
    inputs: named.map(({ name, input }) => (input === undefined ? '' : name)),
    outputs: results,
    ...(attributes === undefined ? {} : { attributes }),
  };
  const isTensor = (input: Input): input is Tensor => input !== undefined && 'dtype' in input;
  return buildModel({
    opset,
    inputs: named.flatMap(({ name, input }) => {
      if (input === undefined || isTensor(input)) return [];
      const [dtype, shape] = typeof input[0] === 'string' ? input : ['float32', input];
      return [{ name, dtype: dtype as DType, shape: shape as number[] }];
    }),
    initializers: Object.fromEntries(
      named.flatMap(({ name, input }) => (isTensor(input) ? [[name, input]] : [])),
    ),
    nodes: [node],
    outputs: [{ name: 'out0', dtype: 'undefined' }],
  });
}

const ints = (...values: number[]): Tensor => int64Tensor([values.length], values);
const image = [2, 4, 9, 7];

const CASES: readonly Case[] = [
  { op: 'Conv', inputs: [image, [6, 4, 3, 3]] },
  {
    op: 'Conv',
    inputs: [image, [6, 2, 3, 3], [6]],
    attributes: { group: { int: 2 }, strides: { ints: [2, 1] }, pads: { ints: [1, 0, 2, 1] } },
  },
  {
    op: 'Conv',
    inputs: [image, [4, 1, 3, 2]],
    attributes: { group: { int: 4 }, dilations: { ints: [2, 3] } },
  },
  {
    op: 'Conv',
    inputs: [image, [6, 4, 3, 3]],
    attributes: { auto_pad: 'SAME_UPPER', strides: { ints: [2, 2] } },
  },
  {
    op: 'Conv',
    inputs: [image, [6, 4, 3, 3]],
    attributes: { auto_pad: 'VALID', strides: { ints: [2, 3] } },
  },
  {
    op: 'Conv',
    inputs: [
      [1, 3, 20],
      [5, 3, 4],
    ],
    attributes: { strides: { ints: [3] } },
  },
  {
    op: 'Conv',
    inputs: [
      [1, 2, 5, 6, 7],
      [3, 2, 2, 2, 2],
    ],
  },
  { op: 'ConvTranspose', inputs: [image, [4, 3, 3, 3]], attributes: { strides: { ints: [2, 2] } } },
  {
    op: 'ConvTranspose',
    inputs: [image, [4, 3, 3, 3]],
    attributes: {
      group: { int: 2 },
      strides: { ints: [2, 2] },
      pads: { ints: [1, 0, 1, 1] },
      output_padding: { ints: [1, 0] },
    },
  },
  {
    op: 'ConvTranspose',
    inputs: [image, [4, 3, 3, 3]],
    attributes: { auto_pad: 'SAME_UPPER', strides: { ints: [2, 2] } },
  },
  {
    op: 'ConvInteger',
    inputs: [['uint8', image], int8Tensor([3, 4, 2, 2], new Int8Array(48))],
  },
  {
    op: 'QLinearConv',
    inputs: [
      ['uint8', image],
      scalar(0.1),
      uint8Tensor([], [3]),
      int8Tensor([3, 4, 2, 2], new Int8Array(48)),
      scalar(0.1),
      int8Tensor([], [0]),
      scalar(0.2),
      uint8Tensor([], [1]),
    ],
  },
  { op: 'Gemm', inputs: [[3, 4], [4, 5], [5]] },
  {
    op: 'Gemm',
    inputs: [
      [4, 3],
      [5, 4],
    ],
    attributes: { transA: { int: 1 }, transB: { int: 1 } },
  },
  {
    op: 'MatMul',
    inputs: [
      [2, 3, 4],
      [4, 5],
    ],
  },
  {
    op: 'MatMul',
    inputs: [
      [2, 1, 3, 4],
      [6, 4, 5],
    ],
  },
  { op: 'MatMul', inputs: [[4], [2, 4, 5]] },
  { op: 'MatMul', inputs: [[3, 4], [4]] },
  {
    op: 'MatMulInteger',
    inputs: [
      ['uint8', [3, 4]],
      ['int8', [4, 2]],
    ],
  },
  { op: 'BatchNormalization', inputs: [image, [4], [4], [4], [4]] },
  { op: 'InstanceNormalization', inputs: [image, [4], [4]] },
  {
    op: 'LayerNormalization',
    inputs: [[2, 3, 8], [8]],
    outputs: 3,
    attributes: { axis: { int: -1 } },
  },
  {
    op: 'GroupNormalization',
    inputs: [image, [4], [4]],
    attributes: { num_groups: { int: 2 } },
    opset: 21,
  },
  { op: 'LRN', inputs: [image], attributes: { size: { int: 3 } } },
  { op: 'MaxPool', inputs: [image], attributes: { kernel_shape: { ints: [2, 3] } }, outputs: 2 },
  {
    op: 'MaxPool',
    inputs: [image],
    attributes: {
      kernel_shape: { ints: [3, 3] },
      strides: { ints: [2, 2] },
      ceil_mode: { int: 1 },
    },
  },
  {
    op: 'MaxPool',
    inputs: [[1, 2, 6, 6]],
    attributes: {
      kernel_shape: { ints: [2, 2] },
      strides: { ints: [3, 3] },
      pads: { ints: [1, 1, 1, 1] },
      ceil_mode: { int: 1 },
    },
  },
  {
    op: 'AveragePool',
    inputs: [image],
    attributes: {
      kernel_shape: { ints: [3, 3] },
      strides: { ints: [2, 2] },
      auto_pad: 'SAME_LOWER',
    },
  },
  {
    op: 'LpPool',
    inputs: [image],
    attributes: { kernel_shape: { ints: [2, 2] }, strides: { ints: [2, 2] } },
  },
  { op: 'GlobalAveragePool', inputs: [image] },
  { op: 'GlobalMaxPool', inputs: [image] },
  ...'Relu Sigmoid Tanh Elu LeakyRelu Selu Softplus HardSigmoid HardSwish Exp Log Sqrt Neg Abs Erf Floor Sign Reciprocal'
    .split(' ')
    .map((op) => ({ op, inputs: [image] })),
  ...'Add Sub Mul Div Pow PRelu'.split(' ').map((op) => ({ op, inputs: [image, [4, 1, 1]] })),
  ...'Sum Mean Max Min'.split(' ').map((op) => ({ op, inputs: [image, [7], [9, 1]] })),
  ...'Greater Less Equal GreaterOrEqual LessOrEqual'.split(' ').map((op) => ({
    op,
    inputs: [
      [2, 1, 3],
      [4, 1],
    ],
  })),
  { op: 'Where', inputs: [['bool', [3, 1]], [4], [2, 3, 4]] },
  { op: 'Clip', inputs: [image, scalar(0), scalar(6)] },
  { op: 'Softmax', inputs: [image] },
  { op: 'LogSoftmax', inputs: [[2, 5]], attributes: { axis: { int: 1 } } },
  { op: 'Dropout', inputs: [image], outputs: 2 },
  { op: 'Identity', inputs: [image] },
  { op: 'Cast', inputs: [image], attributes: { to: { int: 7 } } },
  {
    op: 'Concat',
    inputs: [
      [2, 3, 4],
      [2, 1, 4],
      [2, 2, 4],
    ],
    attributes: { axis: { int: -2 } },
  },
  { op: 'Split', inputs: [[2, 7], ints(3, 4)], outputs: 2, attributes: { axis: { int: 1 } } },
  { op: 'Split', inputs: [[6, 2]], outputs: 3 },
  {
    op: 'Split',
    inputs: [[2, 7]],
    outputs: 2,
    attributes: { axis: { int: 1 }, split: { ints: [2, 5] } },
    opset: 11,
  },
  { op: 'Split', inputs: [[7, 2]], outputs: 3, attributes: { num_outputs: { int: 3 } }, opset: 18 },
  { op: 'Slice', inputs: [[5, 6], ints(1, -3), ints(4, 100)] },
  { op: 'Slice', inputs: [[5, 6], ints(-1), ints(-1000), ints(1), ints(-2)] },
  { op: 'Slice', inputs: [[5, 6], ints(4), ints(2), ints(0)] },
  {
    op: 'Slice',
    inputs: [[5, 6]],
    attributes: { starts: { ints: [1] }, ends: { ints: [9] }, axes: { ints: [-1] } },
    opset: 9,
  },
  { op: 'Pad', inputs: [image, ints(0, 0, 1, 2, 0, 0, 3, 0)] },
  { op: 'Pad', inputs: [image, ints(1, 2, 3, 4), undefined, ints(-1, 2)], opset: 18 },
  {
    op: 'Pad',
    inputs: [image],
    attributes: { pads: { ints: [0, 0, 1, 1, 0, 0, 1, 1] } },
    opset: 9,
  },
  { op: 'Resize', inputs: [image, undefined, floatTensor([4], [1, 1, 2, 1.5])] },
  { op: 'Resize', inputs: [image, undefined, undefined, ints(2, 4, 5, 5)] },
  { op: 'Resize', inputs: [image, floatTensor([4], [1, 1, 2, 2])], opset: 10 },
  {
    op: 'Resize',
    inputs: [image, undefined, undefined, ints(10, 10)],
    attributes: { axes: { ints: [2, 3] }, keep_aspect_ratio_policy: 'not_larger' },
    opset: 18,
  },
  { op: 'Upsample', inputs: [image, floatTensor([4], [1, 1, 2, 3])], opset: 9 },
  {
    op: 'ReduceMean',
    inputs: [image],
    attributes: { axes: { ints: [2, -1] }, keepdims: { int: 0 } },
  },
  { op: 'ReduceMean', inputs: [image, ints(2, 3)], opset: 18 },
  { op: 'ReduceSum', inputs: [image, ints(1)], attributes: { keepdims: { int: 0 } } },
  { op: 'ReduceMax', inputs: [image] },
  { op: 'ReduceL2', inputs: [image], attributes: { keepdims: { int: 0 } } },
  { op: 'ArgMax', inputs: [image], attributes: { axis: { int: 1 }, keepdims: { int: 0 } } },
  { op: 'ArgMin', inputs: [image], attributes: { axis: { int: -1 } } },
  { op: 'Flatten', inputs: [image], attributes: { axis: { int: 2 } } },
  { op: 'Flatten', inputs: [image], attributes: { axis: { int: 0 } } },
  { op: 'Reshape', inputs: [image, ints(0, -1)] },
  { op: 'Reshape', inputs: [image, ints(-1, 7)] },
  { op: 'Transpose', inputs: [image], attributes: { perm: { ints: [0, 2, 3, 1] } } },
  { op: 'Transpose', inputs: [image] },
  { op: 'Squeeze', inputs: [[2, 1, 3, 1], ints(-1)] },
  { op: 'Squeeze', inputs: [[2, 1, 3, 1]] },
  { op: 'Squeeze', inputs: [[2, 1, 3]], attributes: { axes: { ints: [1] } }, opset: 11 },
  { op: 'Unsqueeze', inputs: [[2, 3], ints(0, -1)] },
  { op: 'Unsqueeze', inputs: [[2, 3]], attributes: { axes: { ints: [1, 2] } }, opset: 11 },
  { op: 'Gather', inputs: [[4, 5, 6], ints(0, 2)], attributes: { axis: { int: 1 } } },
  { op: 'Gather', inputs: [[4, 5], int64Tensor([], [1])] },
  { op: 'GatherElements', inputs: [[2, 3], int64Tensor([1, 3], [0, 1, 0])] },
  { op: 'GatherND', inputs: [[2, 3, 4], int64Tensor([5, 2], new Array<number>(10).fill(0))] },
  { op: 'Expand', inputs: [[3, 1], ints(2, 1, 6)] },
  { op: 'Tile', inputs: [[2, 3], ints(2, 3)] },
  { op: 'DepthToSpace', inputs: [[1, 8, 2, 3]], attributes: { blocksize: { int: 2 } } },
  { op: 'SpaceToDepth', inputs: [[1, 2, 4, 6]], attributes: { blocksize: { int: 2 } } },
  { op: 'QuantizeLinear', inputs: [image, scalar(0.1), uint8Tensor([], [3])] },
  { op: 'QuantizeLinear', inputs: [image, scalar(0.1)] },
  { op: 'DequantizeLinear', inputs: [['int8', image], scalar(0.1)] },
  { op: 'DynamicQuantizeLinear', inputs: [image], outputs: 3 },
  {
    op: 'LSTM',
    inputs: [
      [5, 2, 3],
      [1, 16, 3],
      [1, 16, 4],
    ],
    outputs: 3,
    attributes: { hidden_size: { int: 4 } },
  },
  {
    op: 'GRU',
    inputs: [
      [5, 2, 3],
      [2, 12, 3],
      [2, 12, 4],
    ],
    outputs: 2,
    attributes: { hidden_size: { int: 4 }, direction: 'bidirectional' },
  },
  { op: 'Shape', inputs: [image], attributes: { start: { int: 1 }, end: { int: -1 } } },
  { op: 'Size', inputs: [image] },
  { op: 'ConstantOfShape', inputs: [ints(2, 3)], attributes: { value: int64Tensor([1], [7]) } },
  {
    op: 'Range',
    inputs: [scalar(0), scalar(10), scalar(3)].map((t) => int64Tensor([], [Number(t.data[0])])),
  },
  { op: 'TopK', inputs: [[3, 8], ints(2)], outputs: 2 },
  { op: 'OneHot', inputs: [['int64', [2, 3]], ints(5), floatTensor([2], [0, 1])] },
  { op: 'CumSum', inputs: [[3, 4], int64Tensor([], [1])] },
  { op: 'Not', inputs: [['bool', [3]]] },
  { op: 'Gelu', inputs: [image], opset: 20 },
  { op: 'Mish', inputs: [image], opset: 18 },
];

describe('inferShapes', () => {
  it.each(CASES.map((entry) => [`${entry.op} (opset ${entry.opset ?? 17})`, entry] as const))(
    'agrees with ONNX Runtime on %s',
    async (_, entry) => {
      expect(await shapeDifferences(modelOf(entry), 1)).toEqual([]);
    },
  );

  it.each(realModels().map(({ name, bytes }) => [name, bytes] as const))(
    'agrees with ONNX Runtime on every value of %s',
    async (_, bytes) => {
      expect(await shapeDifferences(readModel(bytes), 3)).toEqual([]);
    },
  );

  it('computes the shape arithmetic of exporters', async () => {
    const model = buildModel({
      inputs: [{ name: 'x', shape: ['N', 3, 4, 5] }],
      initializers: { zero: int64Tensor([], [0]), last: ints(-1), two: ints(2), four: ints(4) },
      nodes: [
        { op: 'Shape', inputs: ['x'], outputs: ['shape'] },
        { op: 'Gather', inputs: ['shape', 'zero'], outputs: ['n'] },
        { op: 'Unsqueeze', inputs: ['n', 'axes'], outputs: ['n1'] },
        { op: 'Constant', inputs: [], outputs: ['axes'], attributes: { value: ints(0) } },
        {
          op: 'Concat',
          inputs: ['n1', 'last'],
          outputs: ['target'],
          attributes: { axis: { int: 0 } },
        },
        { op: 'Reshape', inputs: ['x', 'target'], outputs: ['flat'] },
        { op: 'Slice', inputs: ['shape', 'two', 'four'], outputs: ['hw'] },
        { op: 'Mul', inputs: ['hw', 'two'], outputs: ['hw2'] },
        { op: 'Div', inputs: ['hw2', 'four'], outputs: ['hw3'] },
        { op: 'Cast', inputs: ['hw3'], outputs: ['hw4'], attributes: { to: { int: 7 } } },
        { op: 'Equal', inputs: ['hw4', 'two'], outputs: ['same'] },
        { op: 'Where', inputs: ['same', 'four', 'hw4'], outputs: ['size'] },
        { op: 'ConstantOfShape', inputs: ['size'], outputs: ['zeros'] },
        { op: 'ReduceProd', inputs: ['size'], outputs: ['total'] },
        { op: 'Expand', inputs: ['zeros', 'more'], outputs: ['wide'] },
        {
          op: 'Concat',
          inputs: ['n1', 'size'],
          outputs: ['more'],
          attributes: { axis: { int: 0 } },
        },
      ],
      outputs: [{ name: 'flat' }, { name: 'wide' }],
    });
    expect(await shapeDifferences(model, 6)).toEqual([]);
    expect(inferShapes(model, { batch: 6 }).get('flat')?.dims).toEqual([6, 60]);
    expect(inferShapes(model, { inputs: { x: [2, 3, 8, 8] } }).get('flat')?.dims).toEqual([2, 192]);
  });

  it('leaves an unknown operator open and goes on', () => {
    const model = buildModel({
      inputs: [{ name: 'x', shape: ['N', 3] }],
      initializers: { w: floatTensor([3, 2], new Float32Array(6)) },
      nodes: [
        { op: 'Mystery', domain: 'org.example', inputs: ['x'], outputs: ['m'] },
        { op: 'Relu', inputs: ['m'], outputs: ['r'] },
        { op: 'MatMul', inputs: ['x', 'w'], outputs: ['y'] },
      ],
      outputs: [{ name: 'r' }, { name: 'y' }],
    });
    const shapes = inferShapes(model, { batch: 4 });
    expect(shapes.get('m')?.dims).toBeNull();
    expect(shapes.get('r')?.dims).toBeNull();
    expect(shapes.get('y')).toEqual({ dims: [4, 2], dtype: 'float32' });
  });

  it('never throws on shapes that do not fit', () => {
    const shape = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 5 });
    const entry = fc.constantFrom(...CASES);
    fc.assert(
      fc.property(entry, fc.array(shape, { minLength: 3, maxLength: 3 }), (known, shapes) => {
        const inputs = known.inputs.map((input, at) =>
          Array.isArray(input) ? shapes[at]! : input,
        );
        expect(() => inferShapes(modelOf({ ...known, inputs }))).not.toThrow();
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  it('agrees with ONNX Runtime on random networks', async () => {
    await fc.assert(
      fc.asyncProperty(network(), async (model) => {
        expect(await shapeDifferences(model, 2)).toEqual([]);
      }),
      { seed: 7, numRuns: 40 },
    );
  });
});

/** Chains of layers with residual, squeeze and concat branches over random sizes. */
function network(): fc.Arbitrary<Model> {
  const layer = fc.record({
    kind: fc.constantFrom(
      'conv',
      'depthwise',
      'pool',
      'residual',
      'concat',
      'squeeze',
      'relu',
      'pad',
    ),
    width: fc.integer({ min: 1, max: 6 }),
    kernel: fc.integer({ min: 1, max: 3 }),
    stride: fc.integer({ min: 1, max: 2 }),
    ceil: fc.boolean(),
  });
  return fc
    .record({
      channels: fc.integer({ min: 1, max: 4 }),
      side: fc.integer({ min: 12, max: 20 }),
      layers: fc.array(layer, { minLength: 1, maxLength: 4 }),
    })
    .map(({ channels, side, layers }) => {
      const nodes: NewNode[] = [];
      const initializers: Record<string, Tensor> = {};
      let width = channels;
      let at = 'x';
      layers.forEach((spec, index) => {
        const name = (suffix: string): string => `${spec.kind}${index}${suffix}`;
        const out = name('');
        const strides = { ints: [spec.stride, spec.stride] };
        const kernel = { ints: [spec.kernel, spec.kernel] };
        if (spec.kind === 'conv' || spec.kind === 'depthwise') {
          const deep = spec.kind === 'depthwise';
          const to = deep ? width : spec.width;
          initializers[name('w')] = filled('float32', [
            to,
            deep ? 1 : width,
            spec.kernel,
            spec.kernel,
          ]);
          nodes.push({
            op: 'Conv',
            inputs: [at, name('w')],
            outputs: [out],
            attributes: { strides, group: { int: deep ? width : 1 }, pads: { ints: [1, 0, 1, 1] } },
          });
          width = to;
        } else if (spec.kind === 'pool') {
          nodes.push({
            op: 'MaxPool',
            inputs: [at],
            outputs: [out],
            attributes: { kernel_shape: kernel, strides, ceil_mode: { int: Number(spec.ceil) } },
          });
        } else if (spec.kind === 'residual') {
          nodes.push({ op: 'Sigmoid', inputs: [at], outputs: [name('s')] });
          nodes.push({ op: 'Add', inputs: [at, name('s')], outputs: [out] });
        } else if (spec.kind === 'concat') {
          nodes.push({
            op: 'Concat',
            inputs: [at, at],
            outputs: [out],
            attributes: { axis: { int: 1 } },
          });
          width *= 2;
        } else if (spec.kind === 'squeeze') {
          nodes.push({ op: 'GlobalAveragePool', inputs: [at], outputs: [name('g')] });
          nodes.push({ op: 'Mul', inputs: [at, name('g')], outputs: [out] });
        } else if (spec.kind === 'pad') {
          initializers[name('p')] = ints(0, 0, spec.kernel, 1, 0, 0, 0, spec.stride);
          nodes.push({ op: 'Pad', inputs: [at, name('p')], outputs: [out] });
        } else {
          nodes.push({ op: 'Relu', inputs: [at], outputs: [out] });
        }
        at = out;
      });
      nodes.push({ op: 'Flatten', inputs: [at], outputs: ['y'] });
      return buildModel({
        inputs: [{ name: 'x', shape: ['N', channels, side, side] }],
        initializers,
        nodes,
        outputs: [{ name: 'y' }],
      });
    });
}
