import { seededRandom } from '@espalier/dataset';
import { buildModel, floatTensor, type Tensor, writeModel } from '@espalier/onnx';
import { compress } from '../src/index.js';
import { images } from './images.js';

const [CHANNELS, SIZE] = [16, 8] as const;

/** A stem, two residual blocks of equal work, and a layer that reads the mean; what they add differs. */
function network(scales: readonly [number, number]): Uint8Array {
  const random = seededRandom(4);
  const weights = (dims: number[], scale: number): Tensor => {
    const fanIn = dims.slice(1).reduce((a, b) => a * b, 1);
    const size = dims.reduce((a, b) => a * b, 1);
    const deviation = scale * Math.sqrt(2 / fanIn);
    return floatTensor(
      dims,
      Float32Array.from({ length: size }, () => deviation * random.normal()),
    );
  };
  const conv = (from: string, weight: string, to: string) => ({
    ...{ op: 'Conv', inputs: [from, weight], outputs: [to] },
    attributes: { pads: { ints: [1, 1, 1, 1] } },
  });
  const node = (op: string, inputs: string[], output: string) => ({
    op,
    inputs,
    outputs: [output],
  });
  const block = (from: string, name: string) => [
    conv(from, `${name}_w`, `${name}_a`),
    node('Relu', [`${name}_a`], `${name}_b`),
    conv(`${name}_b`, `${name}_v`, `${name}_c`),
    node('Add', [`${name}_c`, from], `${name}_sum`),
    node('Relu', [`${name}_sum`], `${name}_out`),
  ];
  const square = [CHANNELS, CHANNELS, 3, 3];
  const model = buildModel({
    inputs: [{ name: 'x', shape: ['n', 3, SIZE, SIZE] }],
    outputs: [{ name: 'y', shape: ['n', 6] }],
    initializers: {
      stem: weights([CHANNELS, 3, 3, 3], 1),
      ...{ one_w: weights(square, 1), one_v: weights(square, scales[0]) },
      ...{ two_w: weights(square, 1), two_v: weights(square, scales[1]) },
      head: weights([6, CHANNELS], 1),
      bias: weights([6], 1),
    },
    nodes: [
      conv('x', 'stem', 's'),
      node('Relu', ['s'], 'r'),
      ...[...block('r', 'one'), ...block('one_out', 'two')],
      node('GlobalAveragePool', ['two_out'], 'mean'),
      node('Flatten', ['mean'], 'f'),
      {
        ...node('Gemm', ['f', 'head', 'bias'], 'y'),
        attributes: { transB: { int: 1 } },
      },
    ],
  });
  return writeModel(model);
}

const removed = async (scales: [number, number], ratio: number): Promise<string[]> => {
  const { report } = await compress({
    model: network(scales),
    calibration: images([3, SIZE, SIZE], 64, 9),
    goals: [{ name: 'macs-ratio', target: ratio }],
    ...{ precision: 'fp32', seed: 1, threads: 1 },
  });
  expect(report.goals.every(({ met }) => met)).toBe(true);
  return report.variant.removedBlocks;
};

describe('a search over widths and blocks', () => {
  // An eighth of a block's channels, the narrowest, would leave 0.58 of the work.
  it('takes out the block that adds next to nothing, wherever it stands', async () => {
    expect(await removed([1e-3, 0.5], 0.56)).toEqual(['one_sum']);
    expect(await removed([0.5, 1e-3], 0.56)).toEqual(['two_sum']);
  }, 120_000);

  it('takes none out where narrowing all a little loses less', async () => {
    expect(await removed([1, 1], 0.9)).toEqual([]);
  }, 120_000);
});
