import { edit, floatTensor, graphOf, type Model, toFloat32 } from '@espalier/onnx';
import { meanSquaredError, outputsOf } from '../../src/evaluate.js';
import { equalizeChannels } from '../../src/quantization/equalization.js';
import { NETWORKS, randomSamples } from './networks.js';

const samples = randomSamples(32, 5);
const indices = Array.from({ length: 32 }, (_, i) => i);
const settings = { threads: 1 };

/** The largest magnitude of each channel of a tensor. */
async function channelMaxima(model: Model, tensor: string, channels: number): Promise<number[]> {
  const { width, rows } = await outputsOf(model, samples, indices, { ...settings, output: tensor });
  const maxima = new Array<number>(channels).fill(0);
  rows.forEach((value, i) => {
    const channel = Math.floor(((i % width) * channels) / width);
    maxima[channel] = Math.max(maxima[channel]!, Math.abs(value));
  });
  return maxima;
}

/** How far apart channels are that are ever used. */
const spread = (values: readonly number[]): number =>
  Math.max(...values) / Math.min(...values.filter((value) => value > 0));

/** The network with the outputs of its layers made very uneven. */
function uneven(model: Model): Model {
  const editor = edit(model);
  for (const [name, tensor] of graphOf(model).initializers) {
    if (!name.endsWith('_w') || tensor.dims.length !== 4) continue;
    const inner = tensor.data.length / tensor.dims[0]!;
    const data = toFloat32(tensor).map((w, i) => w / (1 + (Math.floor(i / inner) % 7)));
    editor.setInitializer(name, floatTensor(tensor.dims, data));
  }
  return editor.done();
}

describe('equalizeChannels', () => {
  for (const [name, { model: plain }] of Object.entries(NETWORKS)) {
    if (plain.opset < 13) continue;
    it(`leaves what ${name} computes as it was`, async () => {
      const model = uneven(plain);
      const even = await equalizeChannels(model, samples, indices, settings);
      const before = await outputsOf(model, samples, indices, settings);
      const after = await outputsOf(even, samples, indices, settings);
      const zero = { width: before.width, rows: new Float32Array(before.rows.length) };
      expect(meanSquaredError(before, after)).toBeLessThan(1e-9 * meanSquaredError(before, zero));
    });
  }

  it('brings the channels under a ReLU6 close together, and never above it', async () => {
    const model = uneven(NETWORKS['inverted residuals with ReLU6']!.model);
    const even = await equalizeChannels(model, samples, indices, settings);
    const [before, after] = [
      await channelMaxima(model, 'br', 24),
      await channelMaxima(even, 'br', 24),
    ];
    expect(spread(after)).toBeLessThan(spread(before) / 3);
    expect(Math.max(...after)).toBeLessThanOrEqual(6);
  });

  it('gives the model itself where nothing can be scaled', async () => {
    const { model } = NETWORKS['MatMul with and without bias']!;
    expect(await equalizeChannels(model, samples, indices, settings)).toBe(model);
  });
});
