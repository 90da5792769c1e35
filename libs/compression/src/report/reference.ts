import type { InputCard } from '@espalier/dataset';
import {
  channelLayout,
  confidenceThreshold,
  encodeSketch,
  inputFeatures,
  outputFeatures,
  StreamMemory,
  WindowSketch,
} from '@espalier/evidence';
import type { Outputs } from '../evaluate.js';
import type { OutputKind } from '../search/sensitivity.js';
import { batchesOf, type Samples } from '../statistics/samples.js';
import type { CompressionReport } from './report.js';

/**
 * What a device's windows are held against: the same sketch that devices make, of the samples that the
 * variant was judged on and of what it made of them.
 * @param outputs of the variant on these samples @param accuracy on them; null without labels
 */
export function referenceOf(
  samples: Samples,
  indices: readonly number[],
  outputs: Outputs,
  context: {
    readonly source: 'calibration' | 'evaluation';
    readonly output: OutputKind;
    readonly card: InputCard | undefined;
    readonly accuracy: number | null;
  },
): NonNullable<CompressionReport['reference']> {
  const { source, output, card, accuracy } = context;
  const sketch = new WindowSketch();
  const memory = new StreamMemory();
  const { width, rows } = outputs;
  const classifies = output.task === 'classification' && width > 1;
  let at = 0;
  for (const { indices: fed, real } of batchesOf(samples, indices)) {
    const [tensor] = Object.values(samples.feed(fed));
    if (!tensor) continue;
    const layout = channelLayout(tensor.dims.slice(1), card?.input.layout);
    const data = tensor.data as Float32Array;
    const size = data.length / fed.length;
    for (let row = 0; row < real; row += 1, at += 1) {
      const scores = rows.subarray(at * width, (at + 1) * width);
      sketch.add(
        inputFeatures(data.subarray(row * size, (row + 1) * size), layout),
        classifies ? outputFeatures(scores, output.kind) : null,
        memory,
      );
    }
  }
  return {
    source,
    samples: indices.length,
    sketch: encodeSketch(sketch),
    accuracy,
    confidenceThreshold:
      accuracy === null ? null : (confidenceThreshold(sketch, accuracy)?.logOdds ?? null),
  };
}
