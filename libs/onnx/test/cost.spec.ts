import { readFileSync } from 'node:fs';
import {
  activationArena,
  buildModel,
  countModel,
  edit,
  floatTensor,
  graphOf,
  int32Tensor,
  int8Tensor,
  readModel,
  scalar,
  uint8Tensor,
} from '../src/index.js';
import { EXAMPLE, realModels } from './models.js';

/** Multiply-accumulates at batch 1 and parameters, as published for these models. */
const PUBLISHED: Record<string, [number, number]> = {
  'fashion-mobilenetv2': [6_597_856, 84_682],
  'mbv2-cifar10': [10_162_688, 270_394],
  'resnet8-cifar10': [12_501_632, 78_668],
  'dscnn-kws': [2_656_768, 22_604],
};

function zeros(...dims: number[]) {
  return floatTensor(dims, new Float32Array(dims.reduce((a, b) => a * b, 1)));
}

describe('countModel', () => {
  it.each(
    realModels()
      .filter(({ name }) => name in PUBLISHED)
      .map(({ name, bytes }) => [name, bytes] as const),
  )('gives the published numbers of %s', (name, bytes) => {
    const cost = countModel(readModel(bytes));
    expect([cost.macs, cost.params]).toEqual(PUBLISHED[name]);
    expect(cost.bytes).toBe(bytes.length);
  });

  it('scales with the batch and adds up over the nodes', () => {
    const model = readModel(readFileSync(EXAMPLE));
    const [one, four] = [countModel(model), countModel(model, { batch: 4 })];
    expect(four.macs).toBe(4 * one.macs);
    const nodes = [...one.perNode.values()];
    expect(nodes.reduce((sum, { macs }) => sum + macs, 0)).toBe(one.macs);
    expect(nodes.reduce((sum, { params }) => sum + params, 0)).toBe(one.params);
  });

  it('counts a quantized layer as the layer it stands for', () => {
    const model = buildModel({
      inputs: [{ name: 'x', shape: ['N', 4, 6, 6] }],
      initializers: {
        s: scalar(0.1),
        z: uint8Tensor([], [0]),
        w: int8Tensor([8, 4, 3, 3], new Int8Array(288)),
        ws: zeros(8),
        wz: int8Tensor([8], new Int8Array(8)),
        b: int32Tensor([8], new Int32Array(8)),
      },
      nodes: [
        { op: 'QuantizeLinear', inputs: ['x', 's', 'z'], outputs: ['xq'] },
        { op: 'DequantizeLinear', inputs: ['xq', 's', 'z'], outputs: ['xd'] },
        {
          op: 'DequantizeLinear',
          inputs: ['w', 'ws', 'wz'],
          outputs: ['wd'],
          attributes: { axis: { int: 0 } },
        },
        {
          op: 'DequantizeLinear',
          inputs: ['b', 'ws'],
          outputs: ['bd'],
          attributes: { axis: { int: 0 } },
        },
        { op: 'Conv', name: 'conv', inputs: ['xd', 'wd', 'bd'], outputs: ['c'] },
        { op: 'QuantizeLinear', inputs: ['c', 's', 'z'], outputs: ['yq'] },
        { op: 'DequantizeLinear', inputs: ['yq', 's', 'z'], outputs: ['y'] },
      ],
      outputs: [{ name: 'y' }],
    });
    const cost = countModel(model);
    expect([cost.macs, cost.params]).toEqual([8 * 16 * 36, 288 + 8]);
    expect(cost.perNode.get('conv')).toEqual({ op: 'Conv', macs: 8 * 16 * 36, params: 296 });
    // Only quantized activations are stored, the float input and output of the graph beside them.
    const arena = activationArena(model);
    const [input, quantized, output] = [4 * 36 * 4, 4 * 36, 8 * 16];
    expect(arena.liveAt.map(({ bytes }) => bytes)).toEqual([
      input + quantized,
      input + quantized,
      expect.any(Number),
      expect.any(Number),
      expect.any(Number),
      expect.any(Number),
      input + output + output * 4,
    ]);
    expect(arena.weightBytes).toBe(4 + 1 + 288 + 32 + 8 + 32);
  });

  it.each([
    ['Gemm', [2, 5], [5, 3], 2 * 5 * 3],
    ['MatMul', [2, 4, 5], [5, 3], 2 * 4 * 5 * 3],
    ['ConvTranspose', [1, 2, 4, 4], [2, 3, 3, 3], 2 * 16 * 3 * 9],
  ])('counts %s', (op, x, w, macs) => {
    const model = buildModel({
      inputs: [{ name: 'x', shape: x }],
      initializers: { w: zeros(...w) },
      nodes: [{ op, inputs: ['x', 'w'], outputs: ['y'] }],
      outputs: [{ name: 'y' }],
    });
    expect(countModel(model).macs).toBe(macs);
  });
});

describe('activationArena', () => {
  const chain = (op: string) =>
    buildModel({
      inputs: [{ name: 'x', shape: ['N', 4, 8, 8] }],
      initializers: { w: zeros(4, 4, 1, 1) },
      nodes: [
        { op: 'Conv', inputs: ['x', 'w'], outputs: ['a'] },
        { op, inputs: ['a'], outputs: ['b'] },
        { op: 'Conv', inputs: ['b', 'w'], outputs: ['c'] },
        { op: 'Add', inputs: ['c', 'a'], outputs: ['y'] },
      ],
      outputs: [{ name: 'y' }],
    });
  const plane = 4 * 64 * 4;

  it('counts what is live at one time, the input for the whole run', () => {
    const arena = activationArena(chain('Relu'));
    // "a" is read again by the Add, so the Relu cannot write over it; the Add writes over "c".
    expect(arena.liveAt.map(({ bytes }) => bytes / plane)).toEqual([2, 3, 4, 3]);
    expect(arena.peakBytes).toBe(4 * plane);
    expect(arena.peakRamBytes).toBe(4 * plane + 64);
  });

  it('lets views share memory', () => {
    const arena = activationArena(chain('Identity'));
    expect(arena.liveAt.map(({ bytes }) => bytes / plane)).toEqual([2, 2, 3, 3]);
  });

  it('shrinks with a narrower network and grows with the batch', () => {
    const model = readModel(readFileSync(EXAMPLE));
    const { peakBytes, unsized } = activationArena(model);
    expect(unsized).toEqual([]);
    const { peakBytes: double } = activationArena(model, { batch: 2 });
    expect(double).toBe(2 * peakBytes);
    const short = edit(model)
      .setOutputs([graphOf(model).nodes[0]!.outputs[0]!])
      .removeUnused()
      .done();
    expect(activationArena(short).peakBytes).toBeLessThan(peakBytes);
  });
});
