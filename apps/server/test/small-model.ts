import { seededRandom, writeNpz } from '@espalier/dataset';
import { buildModel, floatTensor, writeModel } from '@espalier/onnx';
import type { ServerProcess } from './server-process.js';

const WIDTHS = [16, 64, 64, 4] as const;

/** A small trained-looking MLP and data that it labels itself: compresses in a second or two. */
function smallModel(seed: number): { model: Uint8Array; data: (count: number) => Uint8Array } {
  const random = seededRandom(seed);
  const normal = (): number =>
    Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next());
  const layers = WIDTHS.slice(1).map((cout, index) => {
    const cin = WIDTHS[index] ?? 1;
    const weight = Float32Array.from({ length: cin * cout }, () => normal() / Math.sqrt(cin / 2));
    return { cin, cout, weight };
  });
  const model = buildModel({
    inputs: [{ name: 'x', shape: ['N', WIDTHS[0]] }],
    outputs: [{ name: 'y', shape: ['N', WIDTHS[3]] }],
    initializers: Object.fromEntries(
      layers.map(({ cin, cout, weight }, i) => [`w${i}`, floatTensor([cin, cout], weight)]),
    ),
    nodes: layers.flatMap((_, i) => {
      const last = i === layers.length - 1;
      const gemm = {
        op: 'Gemm',
        inputs: [i === 0 ? 'x' : `a${i - 1}`, `w${i}`],
        outputs: [last ? 'y' : `h${i}`],
      };
      return last ? [gemm] : [gemm, { op: 'Relu', inputs: [`h${i}`], outputs: [`a${i}`] }];
    }),
  });
  const labelOf = (x: Float32Array): number => {
    let values = x;
    layers.forEach(({ cin, cout, weight }, index) => {
      const next = new Float32Array(cout);
      for (let i = 0; i < cin; i += 1) {
        for (let o = 0; o < cout; o += 1) next[o]! += values[i]! * weight[i * cout + o]!;
      }
      values = index === layers.length - 1 ? next : next.map((value) => Math.max(0, value));
    });
    return values.indexOf(Math.max(...values));
  };
  const data = (count: number): Uint8Array => {
    const x = Float32Array.from({ length: count * WIDTHS[0] }, normal);
    const y = Int32Array.from({ length: count }, (_, i) =>
      labelOf(x.subarray(i * WIDTHS[0], (i + 1) * WIDTHS[0])),
    );
    return writeNpz({
      x: { dims: [count, WIDTHS[0]], dtype: 'float32', data: x },
      y: { dims: [count], dtype: 'int32', data: y },
    });
  };
  return { model: writeModel(model), data };
}

/** The small model and its data as files. */
export function smallFiles(seed = 1): Record<'model' | 'calibration' | 'evaluation', Uint8Array> {
  const { model, data } = smallModel(seed);
  return { model, calibration: data(400), evaluation: data(400) };
}

/** Uploads the small model; each seed is another model. */
export async function uploadSmall(server: ServerProcess, seed = 1): Promise<{ id: string }> {
  const { model, calibration, evaluation } = smallFiles(seed);
  const blob = (bytes: Uint8Array): Blob => new Blob([Buffer.from(bytes)]);
  const form = new FormData();
  form.set('name', `small-${seed}`);
  form.set('model', blob(model), 'model.onnx');
  form.set('calibration', blob(calibration), 'calibration.npz');
  form.set('evaluation', blob(evaluation), 'evaluation.npz');
  return server.ok('POST', '/api/v1/models', form);
}
