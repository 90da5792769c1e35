/**
 * A real agent on real images: what the server says of its accuracy is, exactly, what ONNX Runtime makes
 * of the same samples here.
 */
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { jest } from '@jest/globals';
import { openDataset, parseCard, prepareBatch, readNpz, writeNpz } from '@espalier/dataset';
import { floatTensor, openSession } from '@espalier/onnx';
import type { SeriesView } from '@espalier/protocol';
import { AgentProcess } from './agent-process.js';
import { ServerProcess } from './server-process.js';
import { makeCandidates, prepareRollout } from './walkthrough.js';

jest.setTimeout(400_000);

const SHARED = fileURLToPath(new URL('../../../../shared/', import.meta.url));
const IMAGES = 40;

/** Some of the images, with their labels. */
function part(name: string, from: number, count: number): Buffer {
  const { x, y } = Object.fromEntries(readNpz(readFileSync(join(SHARED, 'data', `${name}.npz`))));
  const size = x!.data.length / x!.dims[0]!;
  const data = (x!.data as Uint8Array).slice(from * size, (from + count) * size);
  const labels = Int32Array.from(Array.from(y!.data, Number).slice(from, from + count));
  return Buffer.from(
    writeNpz({
      x: { dims: [count, ...x!.dims.slice(1)], dtype: 'uint8', data },
      y: { dims: [count], dtype: 'int32', data: labels },
    }),
  );
}

/** Of each image, whether the model is right, one by one as a device runs them. */
async function rightOf(model: Uint8Array, card: string, npz: Uint8Array): Promise<boolean[]> {
  const [session, dataset] = [await openSession(model), openDataset(npz)];
  const [input = ''] = session.inputNames;
  const right: boolean[] = [];
  for (let start = 0; start < dataset.count; start += 1) {
    const dims = [1, ...(session.inputDims[input] ?? []).slice(1)];
    const batch = prepareBatch(dataset, parseCard(card), { start, count: 1 }, dims);
    const outputs = await session.run({ [input]: floatTensor(batch.dims, batch.data) });
    const scores = outputs[session.outputNames[0]!]!.data as Float32Array;
    right.push(scores.indexOf(Math.max(...scores)) === dataset.y?.[start]);
  }
  await session.release();
  return right;
}

const has = existsSync(SHARED);
if (!has) process.stderr.write('../shared is absent: the accuracy on real images is not tested.\n');

(has ? describe : describe.skip)('the accuracy of a device, on real images', () => {
  let server: ServerProcess;
  let agent: AgentProcess;
  const folder = mkdtempSync(join(tmpdir(), 'espalier-images-'));
  const drop = join(folder, 'labels');
  const card = has ? readFileSync(join(SHARED, 'models/resnet8-cifar10.json'), 'utf8') : '';
  const images = has ? part('cifar10-evaluation', 200, IMAGES) : Buffer.alloc(0);
  let running: { modelSha256: string; releaseId: string };
  let right: boolean[];

  beforeAll(async () => {
    server = await ServerProcess.start();
    const form = new FormData();
    const blob = (bytes: Uint8Array): Blob => new Blob([Buffer.from(bytes)]);
    form.set('name', 'resnet8');
    form.set('model', blob(readFileSync(join(SHARED, 'models/resnet8-cifar10.onnx'))), 'm.onnx');
    form.set('calibration', blob(part('cifar10-calibration', 0, 64)), 'calibration.npz');
    form.set('evaluation', blob(part('cifar10-evaluation', 0, 64)), 'evaluation.npz');
    form.set('card', new Blob([card]), 'card.json');
    const { id: modelId } = await server.ok<{ id: string }>('POST', '/api/v1/models', form);
    await makeCandidates(server, modelId, { points: 1, precisions: ['fp32'] });
    const input = join(folder, 'images.npz');
    writeFileSync(input, images);
    agent = await AgentProcess.start(server, 'camera', [
      ...['--input', input, '--inference-interval-ms', '50', '--feedback-dir', drop],
      ...['--telemetry-interval-ms', '700'],
    ]);
    await server.until<{ devices: { state: string }[] }>('/api/v1/devices', ({ devices }) =>
      devices.some(({ state }) => state === 'ready'),
    );
    const { id } = await prepareRollout(server, modelId, '', { stages: [{ percent: 100 }] });
    await server.ok('POST', `/api/v1/rollouts/${id}/start`, {});
    const { devices } = await server.until<{ devices: { running: typeof running | null }[] }>(
      '/api/v1/devices',
      (page) => page.devices.every((one) => one.running !== null),
    );
    running = devices[0]!.running!;
    const slots = readdirSync(join(agent.folder, 'slots')).map((name) =>
      readFileSync(join(agent.folder, 'slots', name)),
    );
    const model = slots.find(
      (bytes) => createHash('sha256').update(bytes).digest('hex') === running.modelSha256,
    );
    right = await rightOf(model!, card, images);
  });
  afterAll(async () => {
    await agent.stop();
    await server.dispose();
    rmSync(folder, { recursive: true, force: true });
  });

  const total = async (done: (figures: SeriesView['series'][0]['total']) => boolean) => {
    const view = await server.until<SeriesView>(
      `/api/v1/telemetry/series?by=release&releaseId=${running.releaseId}`,
      ({ series }) => series[0] !== undefined && done(series[0].total),
    );
    return view.series[0]!.total;
  };
  /** How many of the first so many samples are right, the images in turn. */
  const rightAmong = (samples: number): number =>
    Array.from({ length: samples }, (_, at) => right[at % IMAGES]!).filter(Boolean).length;
  const feedBack = (name: string, labelled: number, correct: number): void => {
    const line = JSON.stringify({ modelSha256: running.modelSha256, labelled, correct });
    writeFileSync(join(drop, `${name}.part`), line);
    renameSync(join(drop, `${name}.part`), join(drop, `${name}.jsonl`));
  };

  it('is what ONNX Runtime makes of the same samples, to the last one', async () => {
    const { inferences, accuracy, accuracyEstimate } = await total(
      (figures) => figures.inferences > 2.5 * IMAGES,
    );
    expect(right.filter(Boolean).length).toBeGreaterThan(IMAGES / 2);
    expect(accuracy).toMatchObject({ labelled: inferences, correct: rightAmong(inferences) });
    // The sketches have seen each of them, and no other.
    expect(accuracyEstimate).toMatchObject({ items: inferences, references: ['evaluation'] });
  });

  it('falls at the next roll-up when the labels that the application learns turn wrong', async () => {
    feedBack('good', 500, 480);
    feedBack('bad', 2000, 100);
    const { inferences, accuracy } = await total(
      (figures) => (figures.accuracy?.labelled ?? 0) >= figures.inferences + 2500,
    );
    expect(accuracy).toEqual({
      labelled: inferences + 2500,
      correct: rightAmong(inferences) + 580,
      value: (rightAmong(inferences) + 580) / (inferences + 2500),
    });
    expect(accuracy!.value).toBeLessThan(0.5);
  });
});
