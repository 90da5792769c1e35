import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { openDataset, parseCard, prepareBatch, type Dataset } from '@espalier/dataset';
import { floatTensor, openSession, readModel, type Model } from '@espalier/onnx';

const FOLDER = new URL('../../../../examples/', import.meta.url);
const BATCH = 50;

/** The project's example: a trained model, and data. */
export interface Example {
  readonly name: string;
  readonly modelBytes: Uint8Array;
  readonly model: Model;
  readonly calibration: Uint8Array;
  readonly evaluation: Uint8Array;
  readonly card: string;
  /** The evaluation data again, as the agents read it. */
  readonly evaluationPath: string;
}

/** Reads `examples/`. */
export async function openExample(): Promise<Example> {
  const read = async (file: string): Promise<Uint8Array> =>
    new Uint8Array(await readFile(new URL(file, FOLDER)));
  const modelBytes = await read('fashion-mobilenetv2.onnx');
  return {
    name: 'fashion-mobilenetv2',
    modelBytes,
    model: readModel(modelBytes),
    calibration: await read('fashion-calibration.npz'),
    evaluation: await read('fashion-evaluation.npz'),
    card: await readFile(new URL('fashion-mobilenetv2.json', FOLDER), 'utf8'),
    evaluationPath: fileURLToPath(new URL('fashion-evaluation.npz', FOLDER)),
  };
}

/** Which evaluation samples the trained model classifies rightly, by running it on all of them. */
export async function trainedModelHits(example: Example): Promise<readonly boolean[]> {
  const dataset = openDataset(example.evaluation);
  const card = parseCard(example.card);
  const session = await openSession(example.modelBytes);
  try {
    const [input = ''] = session.inputNames;
    const [output = ''] = session.outputNames;
    const hits: boolean[] = [];
    for (let start = 0; start < dataset.count; start += BATCH) {
      const count = Math.min(BATCH, dataset.count - start);
      const batch = prepareBatch(dataset, card, { start, count }, session.inputDims[input] ?? []);
      const feeds = { [input]: floatTensor(batch.dims, batch.data) };
      const scores = (await session.run(feeds, [output]))[output];
      hits.push(...hitsOf(Float32Array.from(scores?.data as Float32Array), dataset, start, count));
    }
    return hits;
  } finally {
    await session.release();
  }
}

function hitsOf(scores: Float32Array, { y }: Dataset, start: number, count: number): boolean[] {
  const classes = scores.length / count;
  return Array.from({ length: count }, (_, row) => {
    const own = scores.subarray(row * classes, (row + 1) * classes);
    return own.indexOf(Math.max(...own)) === y?.[start + row];
  });
}
