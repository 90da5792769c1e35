import { buildModel, floatTensor, type NewNode, writeModel } from '@espalier/onnx';
import { inspectModel } from '../src/index.js';

/** A Conv of four channels, then `nodes` from "h" to "y", over images of a given height. */
function inspected(height: number, nodes: readonly NewNode[], group = 1) {
  const model = buildModel({
    inputs: [{ name: 'x', shape: ['n', 3, height, 8] }],
    outputs: [{ name: 'y' }],
    initializers: { w: floatTensor([4, 3, 1, 1], new Float32Array(12).fill(0.5)) },
    nodes: [
      { op: 'Conv', inputs: ['x', 'w'], outputs: ['h'], attributes: { group: { int: group } } },
      ...nodes,
    ],
  });
  const [first] = inspectModel(writeModel(model)).groups;
  return { prunable: first?.prunable, reasons: first?.locked.map(({ reason }) => reason) };
}

describe('a graph whose figures do not fit or are beyond all bounds', () => {
  it('locks channels that a Flatten would spread over billions of positions', () => {
    const flatten = { op: 'Flatten', name: 'flat', inputs: ['h'], outputs: ['y'] };
    expect(inspected(2 ** 31, [flatten])).toEqual({
      prunable: 0,
      reasons: ['Flatten "flat" spreads channels over too many positions to follow'],
    });
  });

  it('offers nothing of a Conv whose weights do not fit its groups', () => {
    const relu = { op: 'Relu', inputs: ['h'], outputs: ['y'] };
    expect(inspected(8, [relu], 2 ** 40)).toEqual({ prunable: undefined, reasons: undefined });
    expect(inspected(8, [relu], 0)).toEqual({ prunable: undefined, reasons: undefined });
  });

  it('locks channels that a layer of another width reads', () => {
    const conv = { op: 'Conv', name: 'next', inputs: ['h', 'w'], outputs: ['y'] };
    const { prunable, reasons } = inspected(8, [conv]);
    expect({ prunable, reasons }).toEqual({
      prunable: 0,
      reasons: ['Conv "next" has weights that do not fit its input'],
    });
  });
});
