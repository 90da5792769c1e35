import { graphOf, type Model, type Tensor } from '@espalier/onnx';
import type { DenseLayer } from '../statistics/dense.js';
import type { FrontierWalk } from '../statistics/frontier.js';
import {
  addSums,
  GramAccumulator,
  type GramEngine,
  type Moments,
  momentsOf,
} from '../statistics/gram.js';
import { readOutput } from '../statistics/patches.js';

/** Every fourth sample is held out to choose the ridge's strength. */
const HELD_EVERY = 4;

/** Moments of what one group of a layer reads now and what it should give. */
export interface GroupMoments {
  readonly fit: Moments;
  readonly held: Moments;
  readonly all: Moments;
}

/**
 * Walks a model on to one of its layers and takes, group by group, the moments of what it reads
 * there and of the dense model's output, less the residual shortcut as it now is. They are about
 * the means, but about zero where the layer has no bias to shift.
 */
export async function momentsAt(
  model: Model,
  { layer, reader, plan, shortcut, targetRows, targetWidth }: DenseLayer,
  walk: FrontierWalk,
  engine: GramEngine,
): Promise<GroupMoments[]> {
  const graph = graphOf(model);
  const node = graph.producer(layer.output) ?? layer.node;
  const perGroup = targetWidth / layer.group;
  const width = reader.columns + perGroup + 1;
  const open = (): GramAccumulator[] =>
    Array.from({ length: layer.group }, () => new GramAccumulator(engine, width));
  const parts = { fit: open(), held: open() };
  const shortcutRow = new Float32Array(targetWidth);
  const readSample = async (
    x: Tensor,
    s: Tensor | undefined,
    inBatch: number,
    sample: number,
  ): Promise<void> => {
    const grams = sample % HELD_EVERY === HELD_EVERY - 1 ? parts.held : parts.fit;
    for (const [k, position] of plan.positions(sample).entries()) {
      const row = (sample * plan.perSample + k) * targetWidth;
      if (s) readOutput(layer, s, inBatch, position, shortcutRow, 0);
      for (const [g, gram] of grams.entries()) {
        const { into, at } = gram.next();
        reader.read(x, inBatch, position, g, into, at);
        for (let o = 0; o < perGroup; o++) {
          const channel = g * perGroup + o;
          into[at + reader.columns + o] =
            (targetRows[row + channel] as number) - (shortcutRow[channel] as number);
        }
        into[at + width - 1] = 1;
        if (gram.commit()) await gram.flush();
      }
    }
  };
  await walk.advance(model, graph.nodes.indexOf(node), async (tensors, offset, count) => {
    const x = tensors[layer.input];
    const s = shortcut === undefined ? undefined : tensors[shortcut];
    for (let i = 0; x && i < count; i++) await readSample(x, s, i, offset + i);
  });
  for (const gram of [...parts.fit, ...parts.held]) await gram.flush();
  const moments = (sum: Float64Array): Moments => {
    const centred = momentsOf(sum, reader.columns, perGroup);
    return layer.kind === 'matmul' ? aboutZero(centred) : centred;
  };
  return parts.fit.map(({ sum }, g) => {
    const held = parts.held[g]?.sum ?? sum;
    return { fit: moments(sum), held: moments(held), all: moments(addSums(sum, held)) };
  });
}

/** Moments about zero instead of the means, for layers that have no bias to shift. */
export function aboutZero(moments: Moments): Moments {
  const { rows, xx, tx, tt, meanX, meanT } = moments;
  const n = xx.cols;
  const x = (j: number): number => meanX[j] as number;
  return {
    rows,
    xx: { ...xx, data: xx.data.map((v, at) => v + rows * x(Math.floor(at / n)) * x(at % n)) },
    tx: {
      ...tx,
      data: tx.data.map((v, at) => v + rows * (meanT[Math.floor(at / n)] as number) * x(at % n)),
    },
    tt: tt.map((v, o) => v + rows * (meanT[o] as number) ** 2),
    meanX: new Float64Array(n),
    meanT: new Float64Array(tt.length),
  };
}
