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
import { readOutput, type RowReader } from './patches.js';
import { isWide, MOST_ROWS, RowSpace } from './row-space.js';

/** Every fourth sample is held out to choose by. */
const HELD_EVERY = 4;

/** Most bytes of rows kept for one layer; beyond, its moments are all there is. */
const KEPT_BYTES = 192 * 2 ** 20;

/** Rows of a regression as they were read. */
export interface RowBlock {
  /** x | t | 1: what the layer reads, what it should give, and one. */
  readonly z: Operand;
  /** What is added to the layer's output before it is read on [rows, outputs]; none, no residual sum. */
  readonly shortcut: Float32Array | undefined;
}

/** What one group of a layer reads now, and what it should give. */
export interface Regression {
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
): Promise<Regression[]> {
  const graph = graphOf(model);
  const node = graph.producer(layer.output) ?? layer.node;
  const shape = { ...layer, node, group };
  const outputs = kept.length / group;
  const width = reader.columns + outputs + 1;
  const planned = places.length * plan.perSample;
  const wide = isWide(reader.columns, planned);
  const every = wide ? Math.ceil(planned / MOST_ROWS) : 1;
  const bytes = 4 * planned * group * (width + outputs);
  const open = (share: number): RowKeeper[] => {
    const fits = wide || bytes <= KEPT_BYTES;
    const room = fits ? Math.ceil((share * plan.perSample) / every) : 0;
    return Array.from(
      { length: group },
      () =>
        new RowKeeper(engine, width, outputs, { room, every, alone: wide }, shortcut !== undefined),
    );
  };
  const heldSamples = Math.floor(places.length / HELD_EVERY);
  const parts = { fit: open(places.length - heldSamples), held: open(heldSamples) };
  const sums = new Float32Array(kept.length);
  const readSample = async (
    x: Tensor,
    s: Tensor | undefined,
    inBatch: number,
    at: number,
  ): Promise<void> => {
    const sample = places[at] ?? 0;
    const keepers = at % HELD_EVERY === HELD_EVERY - 1 ? parts.held : parts.fit;
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
        if (keeper.gram?.commit()) await keeper.gram.flush();
      }
    }
  };
  await walk.advance(model, graph.nodes.indexOf(node), async (tensors, offset, count) => {
    const x = tensors[layer.input];
    const s = shortcut === undefined ? undefined : tensors[shortcut];
    for (let i = 0; x && i < count; i++) await readSample(x, s, i, offset + i);
  });
  const regressions: Regression[] = [];
  for (const [g, fit] of parts.fit.entries()) {
    const held = parts.held[g];
    if (!held) continue;
    let rows = fit.block && held.block ? { fit: fit.block, held: held.block } : undefined;
    let space: RowSpace | undefined;
    if (wide && rows) {
      space = new RowSpace(joined(rows.fit.z, rows.held.z), reader.columns);
      rows = {
        fit: within(space, rows.fit, 0, reader.columns),
        held: within(space, rows.held, rows.fit.z.rows, reader.columns),
      };
    }
    const columns = space?.coordinates.rows ?? reader.columns;
    const sums = {
      fit: await fit.sum(rows?.fit.z),
      held: await held.sum(rows?.held.z),
    };
    const moments = (sum: Float64Array): Moments => {
      const centred = momentsOf(sum, columns, outputs);
      return layer.kind === 'matmul' ? aboutZero(centred) : centred;
    };
    regressions.push({
      ...{ columns, space, outputs, rows },
      fit: moments(sums.fit),
      held: moments(sums.held),
      all: moments(addSums(sums.fit, sums.held)),
    });
  }
  return regressions;
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

/** Which rows are kept. */
interface Keeping {
  /** At most this many; 0 keeps none. */
  readonly room: number;
  /** One in so many. */
  readonly every: number;
  /** Whether the rows are all that is wanted: their Gram is not summed on the way. */
  readonly alone: boolean;
}

/** Sums the Gram of rows, and keeps the rows where there is room for them. */
class RowKeeper {
  readonly gram: GramAccumulator | undefined;
  private readonly row: Float32Array;
  private readonly z: Float32Array;
  private readonly shortcut: Float32Array | undefined;
  private seen = 0;
  private filled = 0;

  constructor(
    private readonly engine: GramEngine,
    private readonly width: number,
    private readonly outputs: number,
    private readonly keeping: Keeping,
    hasShortcut: boolean,
  ) {
    this.gram = keeping.alone ? undefined : new GramAccumulator(engine, width);
    this.row = new Float32Array(keeping.alone ? width : 0);
    this.z = new Float32Array(keeping.room * width);
    this.shortcut = hasShortcut ? new Float32Array(keeping.room * outputs) : undefined;
  }

  /** Where the next row is written. */
  next(): { into: Float32Array; at: number } {
    return this.gram?.next() ?? { into: this.row, at: 0 };
  }

  keep(row: Float32Array, shortcut: Float32Array): void {
    const { room, every } = this.keeping;
    if (this.seen++ % every !== 0 || this.filled >= room) return;
    this.z.set(row, this.filled * this.width);
    this.shortcut?.set(shortcut, this.filled * this.outputs);
    this.filled++;
  }

  get block(): RowBlock | undefined {
    if (this.keeping.room === 0) return undefined;
    return {
      z: { rows: this.filled, cols: this.width, data: this.z },
      shortcut: this.shortcut,
    };
  }

  /** The Gram of all rows, or of those given where none was summed. */
  async sum(rows: Operand | undefined): Promise<Float64Array> {
    await this.gram?.flush();
    if (this.gram) return this.gram.sum;
    return rows ? Float64Array.from(await this.engine.cross(rows, rows)) : new Float64Array(0);
  }
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
