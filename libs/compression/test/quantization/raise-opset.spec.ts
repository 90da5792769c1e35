import {
  buildModel,
  graphOf,
  int64Tensor,
  type Model,
  type NewNode,
  openSession,
  readModel,
  type Tensor,
  writeModel,
} from '@espalier/onnx';
import { raiseOpset } from '../../src/quantization/index.js';
import { NetworkBuilder } from './networks.js';

interface Case {
  readonly opset: number;
  readonly nodes: readonly NewNode[];
  readonly initializers?: Readonly<Record<string, Tensor>>;
}

const x = ['x'];
const y = ['y'];
const ints = (...values: number[]): { ints: number[] } => ({ ints: values });

const CASES: Readonly<Record<string, Case>> = {
  'Clip by attributes': {
    opset: 9,
    nodes: [
      {
        op: 'Clip',
        inputs: x,
        outputs: y,
        attributes: { min: { float: -0.2 }, max: { float: 0.3 } },
      },
    ],
  },
  'Clip with an upper bound alone': {
    opset: 10,
    nodes: [{ op: 'Clip', inputs: x, outputs: y, attributes: { max: { float: 0.3 } } }],
  },
  'Pad by attributes': {
    opset: 10,
    nodes: [
      {
        op: 'Pad',
        inputs: x,
        outputs: y,
        attributes: { pads: ints(0, 0, 1, 2, 0, 0, 1, 0), value: { float: 0.5 } },
      },
    ],
  },
  'Slice by attributes': {
    opset: 9,
    nodes: [
      {
        op: 'Slice',
        inputs: x,
        outputs: y,
        attributes: { starts: ints(1), ends: ints(3), axes: ints(1) },
      },
    ],
  },
  'Squeeze, Unsqueeze, ReduceSum by attributes': {
    opset: 11,
    nodes: [
      { op: 'Unsqueeze', inputs: x, outputs: ['u'], attributes: { axes: ints(1) } },
      {
        op: 'ReduceSum',
        inputs: ['u'],
        outputs: ['r'],
        attributes: { axes: ints(3), keepdims: { int: 1 } },
      },
      { op: 'Squeeze', inputs: ['r'], outputs: y, attributes: { axes: ints(1, 3) } },
    ],
  },
  'Split by attribute': {
    opset: 12,
    nodes: [
      {
        op: 'Split',
        inputs: x,
        outputs: ['a', 'b'],
        attributes: { axis: { int: 1 }, split: ints(1, 2) },
      },
      { op: 'Concat', inputs: ['b', 'a'], outputs: y, attributes: { axis: { int: 1 } } },
    ],
  },
  'TopK by attribute': {
    opset: 9,
    nodes: [{ op: 'TopK', inputs: x, outputs: ['y', 'i'], attributes: { k: { int: 2 } } }],
  },
  'Softmax over the last axis, and over channels alone': {
    opset: 11,
    nodes: [
      { op: 'Softmax', inputs: x, outputs: ['s'], attributes: { axis: { int: 3 } } },
      { op: 'GlobalAveragePool', inputs: ['s'], outputs: ['g'] },
      { op: 'LogSoftmax', inputs: ['g'], outputs: y },
    ],
  },
  'Dropout with its ratio': {
    opset: 10,
    nodes: [
      { op: 'Dropout', inputs: x, outputs: ['d'], attributes: { ratio: { float: 0.4 } } },
      { op: 'Relu', inputs: ['d'], outputs: y },
    ],
  },
  'Upsample, nearest': {
    opset: 9,
    nodes: [
      { op: 'Upsample', inputs: ['x', 'scales'], outputs: y, attributes: { mode: 'nearest' } },
    ],
    initializers: {
      scales: new NetworkBuilder().constant('s', {
        dtype: 'float32',
        dims: [4],
        data: Float32Array.of(1, 1, 2, 2),
      }).initializers['s']!,
    },
  },
  'Resize of version 10, linear': {
    opset: 10,
    nodes: [{ op: 'Resize', inputs: ['x', 'scales'], outputs: y, attributes: { mode: 'linear' } }],
    initializers: { scales: { dtype: 'float32', dims: [4], data: Float32Array.of(1, 1, 2, 2) } },
  },
  Scatter: {
    opset: 10,
    nodes: [
      {
        op: 'Scatter',
        inputs: ['x', 'at', 'updates'],
        outputs: y,
        attributes: { axis: { int: 0 } },
      },
    ],
    initializers: {
      at: int64Tensor([1, 1, 1, 1], [0]),
      updates: { dtype: 'float32', dims: [1, 1, 1, 1], data: Float32Array.of(9) },
    },
  },
};

function modelOf({ opset, nodes, initializers }: Case): Model {
  return buildModel({
    opset,
    inputs: [{ name: 'x', shape: ['N', 3, 4, 4] }],
    outputs: [{ name: 'y' }],
    nodes,
    ...(initializers ? { initializers } : {}),
  });
}

async function run(model: Model): Promise<number[]> {
  const session = await openSession(model);
  try {
    const { y: result } = await session.run({ x: new NetworkBuilder(3).tensor([2, 3, 4, 4], 1) });
    return [...result!.data].map(Number);
  } finally {
    await session.release();
  }
}

describe('raiseOpset', () => {
  for (const [name, spec] of Object.entries(CASES)) {
    it(`keeps what ${name} gives`, async () => {
      const model = modelOf(spec);
      const raised = readModel(writeModel(raiseOpset(model)));
      expect(raised.opset).toBe(13);
      expect(graphOf(raised).outputs).toHaveLength(1);
      expect(await run(raised)).toEqual(await run(model));
    });
  }

  it('leaves newer models as they are', () => {
    const model = modelOf({ opset: 17, nodes: [{ op: 'Relu', inputs: x, outputs: y }] });
    expect(raiseOpset(model)).toBe(model);
  });

  it('refuses what it cannot carry over', () => {
    const refused: Case[] = [
      {
        opset: 11,
        nodes: [{ op: 'Softmax', inputs: x, outputs: y, attributes: { axis: { int: 1 } } }],
      },
      { opset: 12, nodes: [{ op: 'Multinomial', inputs: x, outputs: y }] },
      {
        opset: 11,
        nodes: [
          {
            op: 'Resize',
            inputs: ['x', '', 'x'],
            outputs: y,
            attributes: { coordinate_transformation_mode: 'tf_half_pixel_for_nn' },
          },
        ],
      },
    ];
    for (const spec of refused) {
      expect(() => raiseOpset(modelOf(spec))).toThrow(
        expect.objectContaining({ code: 'ONNX_UNSUPPORTED_OPSET' }) as Error,
      );
    }
  });
});
