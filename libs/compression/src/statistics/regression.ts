import { graphOf, type Model, type Tensor } from '@espalier/onnx';
import type { DenseLayer } from './dense.js';
import type { FrontierWalk } from './frontier.js';
import {
  addSums,
  GramAccumulator,
  type GramEngine,
  type Moments,
  momentsOf,
  type Operand,
} from './gram.js';
import { fitWay, MOST_ROWS } from './fit-way.js';
import { readOutput, type RowReader } from './patches.js';
import { type RowBlock, RowKeeper } from './row-keeper.js';
import { RowSpace } from './row-space.js';
import { TiledGram, type TiledMoments } from './tiled-gram.js';

/** Every fourth sample is held out to choose by. */
const HELD_EVERY = 4;

/** Most bytes of rows kept for one layer; beyond, its moments are all there is. */
const KEPT_BYTES = 192 * 2 ** 20;

/** What one group of a layer reads now, and what it should give. */
export interface Regression {
  readonly way: 'gram' | 'rows';
  readonly columns: number;
  /** For a wide layer: all that follows is in this space, in as many columns as it has rows. */
  readonly space: RowSpace | undefined;
  readonly outputs: number;
  readonly fit: Moments;
  readonly held: Moments;
  readonly all: Moments;
  /** The rows themselves, where they are few enough. */
  readonly rows: { readonly fit: RowBlock; readonly held: RowBlock } | undefined;
}

/** The same for a layer whose Gram is in tiles. */
export interface TiledRegression {
  readonly way: 'tiles';
  readonly fit: TiledMoments;
  readonly held: RowBlock;
}

/** How a layer stands in the compressed model. */
export interface LayerState {
  readonly reader: RowReader;
  readonly group: number;
  /** Of the dense layer's outputs, those that are left, ascending. */
  readonly kept: readonly number[];
}

/** A walk over some of the samples that the dense statistics were taken of. */
export interface Reading {
  readonly walk: FrontierWalk;
  /** Which of those samples: places in their order. */
  readonly places: readonly number[];
}

/**
 * Walks a compressed model on to one of its layers and reads, group by group, the rows of the
 * layer's regression: its inputs as they now are, and the dense model's output less the residual
 * shortcut as it now is. Moments are about the means, or about zero for a layer without a bias to
 * shift (`matmul`).
 */
export async function readRegressions(
  model: Model,
  { layer, plan, shortcut, targetRows, targetWidth }: DenseLayer,
  { reader, group, kept }: LayerState,
  { walk, places }: Reading,
  engine: GramEngine,
): Promise<(Regression | TiledRegression)[]> {
  const graph = graphOf(model);
  const node = graph.producer(layer.output) ?? layer.node;
  const shape = { ...layer, node, group };
  const outputs = kept.length / group;
  const width = reader.columns + outputs + 1;
  const planned = places.length * plan.perSample;
  const way = fitWay(reader.columns, planned, group);
  const about = layer.kind === 'matmul' ? 'zero' : 'means';
  // Rows held out of a Gram in tiles are kept as they are, so there are few of them.
  const heldEvery =
    way === 'tiles'
      ? Math.min(Math.max(HELD_EVERY, Math.ceil(planned / MOST_ROWS)), places.length)
      : HELD_EVERY;
  const heldSamples = Math.floor(places.length / heldEvery);
  const every = way === 'rows' ? Math.ceil(planned / MOST_ROWS) : 1;
  const fits = way === 'rows' || 4 * planned * group * (width + outputs) <= KEPT_BYTES;
  const hasShortcut = shortcut !== undefined;
  const sum = (held: boolean): GramAccumulator | TiledGram | undefined => {
    if (way === 'gram') return new GramAccumulator(engine, width);
    return way === 'tiles' && !held ? new TiledGram(engine, reader.columns, outputs) : undefined;
  };
  const open = (held: boolean): RowKeeper[] => {
    const share = held ? heldSamples : places.length - heldSamples;
    const kept = way === 'tiles' ? held : fits;
    const keeping = { room: kept ? Math.ceil((share * plan.perSample) / every) : 0, every };
    return Array.from(
      { length: group },
      () => new RowKeeper(sum(held), width, outputs, keeping, hasShortcut),
    );
  };
  const parts = { fit: open(false), held: open(true) };
  const sums = new Float32Array(kept.length);
  const readSample = async (
    x: Tensor,
    s: Tensor | undefined,
    inBatch: number,
    at: number,
  ): Promise<void> => {
    const sample = places[at] ?? 0;
    const keepers = at % heldEvery === heldEvery - 1 ? parts.held : parts.fit;
    for (const [k, position] of plan.positions(sample).entries()) {
      const row = (sample * plan.perSample + k) * targetWidth;
      if (s) readOutput(shape, s, inBatch, position, sums, 0);
      for (const [g, keeper] of keepers.entries()) {
        const { into, at: to } = keeper.next();
        reader.read(x, inBatch, position, g, into, to);
        for (let o = 0; o < outputs; o++) {
          const channel = g * outputs + o;
          into[to + reader.columns + o] =
            (targetRows[row + (kept[channel] as number)] as number) - (sums[channel] as number);
        }
        into[to + width - 1] = 1;
        keeper.keep(into.subarray(to, to + width), sums.subarray(g * outputs, (g + 1) * outputs));
        if (keeper.sum?.commit()) await keeper.sum.flush();
      }
    }
  };
  await walk.advance(model, graph.nodes.indexOf(node), async (tensors, offset, count) => {
    const x = tensors[layer.input];
    const s = shortcut === undefined ? undefined : tensors[shortcut];
    for (let i = 0; x && i < count; i++) await readSample(x, s, i, offset + i);
  });
  const regressions: (Regression | TiledRegression)[] = [];
  for (const [g, fit] of parts.fit.entries()) {
    const held = parts.held[g];
    if (fit.sum instanceof TiledGram) {
      if (held?.block)
        regressions.push({ way: 'tiles', fit: await fit.sum.moments(about), held: held.block });
    } else if (held) {
      const shape = { way: way === 'rows' ? way : 'gram', about, outputs, reader } as const;
      regressions.push(await regressionOf(fit, held, shape, engine));
    }
  }
  return regressions;
}

/** A regression from the rows that were kept, or the Grams that were summed. */
async function regressionOf(
  fit: RowKeeper,
  held: RowKeeper,
  shape: Pick<Regression, 'way' | 'outputs'> & {
    readonly about: 'means' | 'zero';
    readonly reader: RowReader;
  },
  engine: GramEngine,
): Promise<Regression> {
  const { way, about, outputs, reader } = shape;
  let rows = fit.block && held.block ? { fit: fit.block, held: held.block } : undefined;
  let space: RowSpace | undefined;
  if (way === 'rows' && rows) {
    space = new RowSpace(joined(rows.fit.z, rows.held.z), reader.columns);
    rows = {
      fit: within(space, rows.fit, 0, reader.columns),
      held: within(space, rows.held, rows.fit.z.rows, reader.columns),
    };
  }
  const columns = space?.coordinates.rows ?? reader.columns;
  /** The Gram of all rows, or of those kept where none was summed. */
  const sumOf = async ({ sum }: RowKeeper, z: Operand | undefined): Promise<Float64Array> => {
    await sum?.flush();
    if (sum instanceof GramAccumulator) return sum.sum;
    return z ? Float64Array.from(await engine.cross(z, z)) : new Float64Array(0);
  };
  const moments = (sum: Float64Array): Moments => {
    const centred = momentsOf(sum, columns, outputs);
    return about === 'zero' ? aboutZero(centred) : centred;
  };
  const sums = { fit: await sumOf(fit, rows?.fit.z), held: await sumOf(held, rows?.held.z) };
  return {
    ...{ way, columns, space, outputs, rows },
    fit: moments(sums.fit),
    held: moments(sums.held),
    all: moments(addSums(sums.fit, sums.held)),
  };
}

function joined(a: Operand, b: Operand): Operand {
  const data = new Float32Array((a.rows + b.rows) * a.cols);
  data.set(a.data.subarray(0, a.rows * a.cols));
  data.set(b.data.subarray(0, b.rows * b.cols), a.rows * a.cols);
  return { rows: a.rows + b.rows, cols: a.cols, data };
}

/** Rows with what the layer reads in the coordinates of a space that they span, from its row `first`. */
function within(
  space: RowSpace,
  { z, shortcut }: RowBlock,
  first: number,
  columns: number,
): RowBlock {
  const { cols: n, data } = space.coordinates;
  const width = n + z.cols - columns;
  const out = new Float32Array(z.rows * width);
  for (let r = 0; r < z.rows; r++) {
    out.set(data.subarray((first + r) * n, (first + r + 1) * n), r * width);
    out.set(z.data.subarray(r * z.cols + columns, (r + 1) * z.cols), r * width + n);
  }
  return { z: { rows: z.rows, cols: width, data: out }, shortcut };
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
