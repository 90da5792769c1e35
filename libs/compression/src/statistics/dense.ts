import { graphOf, type Model } from '@espalier/onnx';
import type { ChannelGraph } from '../channels/channel-graph.js';
import type { LinearLayer } from '../channels/labels.js';
import { fitWay } from './fit-way.js';
import { GramAccumulator, type GramEngine, type Moments, momentsOf } from './gram.js';
import { readOutput, type RowReader, rowReader } from './patches.js';
import { dimsAtOne, planRows, type RowPlan, seedOf } from './row-plan.js';
import { type RunSettings, runOver } from './run.js';
import type { Samples } from './samples.js';

/** What the dense model says of one layer. */
export interface DenseLayer {
  readonly layer: LinearLayer;
  readonly reader: RowReader;
  readonly plan: RowPlan;
  /** Moments of what each group of the layer reads; none where no input can be cut. */
  readonly inputs: readonly Moments[];
  /** Where the layer is too wide for moments: the sum of squares of each column, group by group. */
  readonly energies: readonly Float64Array[];
  /** The tensor to be matched: the layer's output, or the sum that it closes. */
  readonly target: string;
  /** The other addend of that sum. */
  readonly shortcut: string | undefined;
  /** Rows of the target [samples * perSample, channels], in the order of samples and positions. */
  readonly targetRows: Float32Array;
  readonly targetWidth: number;
}

/** Most samples that the energies of a wide layer are taken of. */
const ENERGY_SAMPLES = 512;

/** Most bytes of target rows held for all layers. */
const TARGET_BYTES = 256 * 2 ** 20;

/**
 * Runs the dense model over the samples once: second moments of what each layer reads, and sampled
 * rows of what it should give.
 */
export async function collectDense(
  channels: ChannelGraph,
  samples: Samples,
  indices: readonly number[],
  engine: GramEngine,
  settings: RunSettings & { readonly seed: number },
  onBatch?: (done: number, total: number) => void,
): Promise<Map<string, DenseLayer>> {
  const { model } = channels;
  const graph = graphOf(model);
  const dims = dimsAtOne(model);
  const drafts = channels.layers.flatMap((layer) => {
    const weight = graph.constant(layer.weight)?.dims ?? [];
    const reader = rowReader(layer, weight, dims(layer.input), dims(layer.output));
    return reader ? [{ layer, reader }] : [];
  });
  const widths = drafts.reduce((sum, { layer }) => sum + layer.outputIds.length, 0);
  const rowCap = Math.floor(TARGET_BYTES / 4 / Math.max(widths, 1) / Math.max(indices.length, 1));
  const open = drafts.map(({ layer, reader }) => {
    const sum = closingSum(model, layer);
    const wanted = planRows(
      reader.columns,
      reader.positions,
      indices.length,
      seedOf(layer, settings.seed),
    );
    const plan =
      wanted.perSample <= Math.max(rowCap, 1)
        ? wanted
        : planRows(
            0,
            Math.min(reader.positions, Math.max(rowCap, 1)),
            indices.length,
            seedOf(layer, settings.seed),
          );
    const wide = fitWay(reader.columns, indices.length * plan.perSample) !== 'gram';
    return {
      layer,
      reader,
      plan,
      ...sum,
      targetWidth: layer.outputIds.length,
      targetRows: new Float32Array(indices.length * plan.perSample * layer.outputIds.length),
      grams:
        layer.inputIds && !wide
          ? Array.from(
              { length: layer.group },
              () => new GramAccumulator(engine, reader.columns + 1),
            )
          : [],
      energies:
        layer.inputIds && wide
          ? Array.from({ length: layer.group }, () => new Float64Array(reader.columns))
          : [],
    };
  });
  const scratch = new Float32Array(Math.max(0, ...drafts.map(({ reader }) => reader.columns)));
  const outputs = [...new Set(open.flatMap(({ layer, target }) => [layer.input, target]))];
  await runOver(model, outputs, samples, indices, settings, async (tensors, offset, count) => {
    for (const item of open) {
      const x = tensors[item.layer.input];
      const t = tensors[item.target];
      if (!x || !t) continue;
      for (let s = 0; s < count; s++) {
        const positions = item.plan.positions(offset + s);
        for (let k = 0; k < positions.length; k++) {
          const position = positions[k] as number;
          const row = (offset + s) * item.plan.perSample + k;
          readOutput(item.layer, t, s, position, item.targetRows, row * item.targetWidth);
          for (let g = 0; g < item.grams.length; g++) {
            const gram = item.grams[g] as GramAccumulator;
            const { into, at } = gram.next();
            item.reader.read(x, s, position, g, into, at);
            into[at + item.reader.columns] = 1;
            if (gram.commit()) await gram.flush();
          }
          if (k > 0 || offset + s >= ENERGY_SAMPLES) continue;
          for (const [g, sums] of item.energies.entries()) {
            item.reader.read(x, s, position, g, scratch, 0);
            sums.forEach((sum, j) => (sums[j] = sum + (scratch[j] as number) ** 2));
          }
        }
      }
    }
    onBatch?.(offset + count, indices.length);
  });
  const out = new Map<string, DenseLayer>();
  for (const { grams, ...item } of open) {
    for (const gram of grams) await gram.flush();
    const inputs = grams.map((gram) => momentsOf(gram.sum, item.reader.columns, 0));
    out.set(item.layer.output, { ...item, inputs });
  }
  return out;
}

/**
 * The residual sum that a layer closes: its output is read by one Add alone, whose other addend is
 * computed before the layer. Matching the sum lets the layer make up for the shortcut's error.
 */
export function closingSum(
  model: Model,
  layer: LinearLayer,
): { target: string; shortcut: string | undefined } {
  const graph = graphOf(model);
  const [add, another] = graph.consumers(layer.output);
  const own = { target: layer.output, shortcut: undefined };
  if (add?.op !== 'Add' || another || graph.isOutput(layer.output)) return own;
  const other = add.inputs.find((name) => name !== layer.output);
  if (other === undefined || graph.constant(other)) return own;
  const producer = graph.producer(other);
  const before = !producer || graph.nodes.indexOf(producer) < graph.nodes.indexOf(layer.node);
  return before ? { target: add.outputs[0] ?? layer.output, shortcut: other } : own;
}
