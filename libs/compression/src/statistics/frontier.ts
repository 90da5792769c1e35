import { edit, floatTensor, graphOf, type Model, openSession, type Tensor } from '@espalier/onnx';
import { checkCancelled, type RunSettings } from './run.js';
import { batchesOf, type Samples } from './samples.js';

/** Most bytes of activations held between two stops. */
const HELD_BYTES = 256 * 2 ** 20;

/**
 * Walks a model stop by stop while its later layers are still being changed: what crosses a stop is
 * held for every sample, so the next stretch starts there instead of at the input. Where that would
 * take too much memory, or is not one float tensor a sample, the walk goes on from the last stop.
 */
export class FrontierWalk {
  /** Nodes before this one are done with. */
  private from = 0;
  private held: ReadonlyMap<string, { dims: readonly number[]; rows: Float32Array }> | undefined;

  constructor(
    private readonly samples: Samples,
    private readonly indices: readonly number[],
    private readonly settings: RunSettings,
  ) {}

  /**
   * Computes what crosses the stop before node number `stop`, its inputs among it.
   * @param visit tensors by name, the first sample's place, and how many samples count
   */
  async advance(
    model: Model,
    stop: number,
    visit: (tensors: Record<string, Tensor>, offset: number, count: number) => void | Promise<void>,
  ): Promise<void> {
    const crossing = crossingTensors(model, stop);
    const stretch = segment(model, this.from, this.held, crossing);
    const session = stretch && (await openSession(stretch, { threads: this.settings.threads }));
    const inputs = new Set(session?.inputNames);
    const keep = new Map<string, { dims: readonly number[]; rows: Float32Array }>();
    let holding = true;
    try {
      let offset = 0;
      for (const batch of batchesOf(this.samples, this.indices)) {
        checkCancelled(this.settings.signal);
        const fed = this.feed(batch.indices, offset, batch.real);
        const feeds = Object.fromEntries(Object.entries(fed).filter(([name]) => inputs.has(name)));
        const computed = session ? await session.run(feeds) : {};
        const tensors = { ...fed, ...computed };
        await visit(tensors, offset, batch.real);
        holding &&= this.hold(keep, crossing, tensors, offset, batch.indices.length, batch.real);
        offset += batch.real;
      }
    } finally {
      await session?.release();
    }
    if (holding) [this.held, this.from] = [keep, stop];
  }

  private feed(indices: readonly number[], offset: number, real: number): Record<string, Tensor> {
    if (!this.held) return this.samples.feed(indices);
    const feeds: Record<string, Tensor> = {};
    for (const [name, { dims, rows }] of this.held) {
      const size = dims.reduce((a, b) => a * b, 1);
      const data = new Float32Array(indices.length * size);
      data.set(rows.subarray(offset * size, (offset + real) * size));
      feeds[name] = floatTensor([indices.length, ...dims], data);
    }
    return feeds;
  }

  private hold(
    keep: Map<string, { dims: readonly number[]; rows: Float32Array }>,
    crossing: readonly string[],
    tensors: Record<string, Tensor>,
    offset: number,
    batch: number,
    real: number,
  ): boolean {
    if (offset === 0) {
      let bytes = 0;
      for (const name of crossing) {
        const tensor = tensors[name];
        if (!tensor || tensor.dtype !== 'float32' || tensor.dims[0] !== batch) return false;
        bytes += (4 * this.indices.length * tensor.data.length) / batch;
      }
      if (bytes > HELD_BYTES) return false;
      for (const name of crossing) {
        const dims = tensors[name]?.dims.slice(1) ?? [];
        const size = dims.reduce((a, b) => a * b, 1);
        keep.set(name, { dims, rows: new Float32Array(this.indices.length * size) });
      }
    }
    for (const [name, { dims, rows }] of keep) {
      const size = dims.reduce((a, b) => a * b, 1);
      const data = tensors[name]?.data as Float32Array;
      rows.set(data.subarray(0, real * size), offset * size);
    }
    return true;
  }
}

/** Values made before node number `stop`, or fed, that it or a later node reads. */
export function crossingTensors(model: Model, stop: number): string[] {
  const graph = graphOf(model);
  const made = new Set(graph.inputs.map(({ name }) => name));
  for (const node of graph.nodes.slice(0, stop))
    for (const output of node.outputs) made.add(output);
  const crossing = new Set<string>();
  for (const node of graph.nodes.slice(stop)) {
    for (const name of [...node.inputs, ...node.captures]) if (made.has(name)) crossing.add(name);
  }
  return [...crossing].filter((name) => !graph.isInitializer(name));
}

/** The nodes from `from` on, fed with what is held, as far as `outputs` need them; if any is to do. */
function segment(
  model: Model,
  from: number,
  held: ReadonlyMap<string, unknown> | undefined,
  outputs: readonly string[],
): Model | undefined {
  const editor = edit(model);
  const known = new Set(held?.keys() ?? graphOf(model).inputs.map(({ name }) => name));
  if (held) {
    for (const node of graphOf(model).nodes.slice(0, from)) editor.removeNode(node);
    editor.setInputs([...held.keys()].map((name) => ({ name, dtype: 'float32' as const })));
  }
  const wanted = outputs.filter((name) => !known.has(name));
  if (wanted.length === 0) return undefined;
  return editor.setOutputs(wanted).removeUnused().clearValueInfo().done();
}
