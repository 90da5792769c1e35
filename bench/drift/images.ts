import { readFile } from 'node:fs/promises';
import { openDataset, parseCard, prepareBatch, type Dataset } from '@espalier/dataset';
import {
  channelLayout,
  inputFeatures,
  outputFeatures,
  type InputFeatures,
  type OutputFeatures,
} from '@espalier/evidence';
import { floatTensor, openSession } from '@espalier/onnx';
import { sharedFile } from '../shared.js';

const BATCH = 50;

/** What a device's sketch would keep of one image, and its label. */
export interface Seen {
  readonly label: number;
  readonly input: InputFeatures;
  readonly output: OutputFeatures;
}

/** Images as a real model sees them: what it was made for, the field, and the field at half light. */
export interface Images {
  readonly calibration: readonly Seen[];
  readonly field: readonly Seen[];
  readonly dark: readonly Seen[];
}

/** Runs the MobileNetV2 of `../shared` over its images. @throws BenchError BENCH_INPUT */
export async function seeImages(): Promise<Images> {
  const model = await readFile(await sharedFile('models/mbv2-cifar10.onnx'));
  const card = parseCard(await readFile(await sharedFile('models/mbv2-cifar10.json'), 'utf8'));
  const data = async (part: string): Promise<Dataset> =>
    openDataset(await readFile(await sharedFile(`data/cifar10-${part}.npz`)));
  const session = await openSession(model, { threads: 2 });
  const [name = ''] = session.inputNames;
  const dims = session.inputDims[name] ?? [];
  const see = async (dataset: Dataset): Promise<Seen[]> => {
    const seen: Seen[] = [];
    for (let start = 0; start < dataset.count; start += BATCH) {
      const count = Math.min(BATCH, dataset.count - start);
      const batch = prepareBatch(dataset, card, { start, count }, dims);
      const outputs = await session.run({ [name]: floatTensor(batch.dims, batch.data) });
      const scores = outputs[session.outputNames[0] ?? '']?.data as Float32Array;
      const layout = channelLayout(batch.dims.slice(1), card.input.layout);
      const [size, width] = [batch.data.length / count, scores.length / count];
      for (let row = 0; row < count; row += 1) {
        seen.push({
          label: dataset.y?.[start + row] ?? 0,
          input: inputFeatures(batch.data.subarray(row * size, (row + 1) * size), layout),
          output: outputFeatures(
            scores.subarray(row * width, (row + 1) * width),
            card.output?.kind,
          ),
        });
      }
    }
    return seen;
  };
  try {
    const field = await data('evaluation');
    return {
      calibration: await see(await data('calibration')),
      field: await see(field),
      dark: await see(halved(field)),
    };
  } finally {
    await session.release();
  }
}

/** The same images, each pixel half as bright. */
function halved(dataset: Dataset): Dataset {
  const pixels = Uint8Array.from(dataset.x.data as Uint8Array, (value) => value >> 1);
  return { ...dataset, x: { ...dataset.x, dtype: 'uint8', data: pixels } };
}
