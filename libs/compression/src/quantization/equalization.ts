import {
  edit,
  floatTensor,
  type Graph,
  graphOf,
  inferShapes,
  type Model,
  type Node,
  type ShapeMap,
  type Tensor,
  toFloat32,
} from '@espalier/onnx';
import { type RunSettings, runOver } from '../statistics/run.js';
import type { Samples } from '../statistics/samples.js';
import { realPart } from './calibrate-activations.js';
import { clipBounds } from '../channels/clip-bounds.js';
import { layerOf, type LayerDraft } from './layer-draft.js';

/** Tensors whose channels may be scaled, when what makes and what reads them is scaled to match. */
interface Segment {
  readonly channels: number;
  readonly tensors: ReadonlySet<string>;
  readonly makers: readonly LayerDraft[];
  readonly readers: readonly LayerDraft[];
  /** Least magnitude at which an activation inside cuts off; Infinity without one. */
  readonly ceiling: number;
}

/** Scaling a channel before or after them is the same. */
const HOMOGENEOUS = new Set(
  'Relu LeakyRelu Clip MaxPool AveragePool GlobalAveragePool Add Flatten'.split(' '),
);

/** A channel is not enlarged by more. */
const MOST = 16;
/** Below an activation's ceiling this much room is left for values that calibration has not met. */
const ROOM = 1.25;

/**
 * Evens out the channels of each tensor, so that one scale suits them all: the layers before are
 * scaled up a channel, the layers after scaled down (cross-layer equalisation: Nagel and others, arXiv
 * 1906.04721). What the model computes stays the same; under a Clip, for values up to 1.25 times the
 * largest that calibration met. Where every reader is depthwise, whose weights have a scale a channel,
 * channels are brought to the same range; elsewhere half the way, since the readers' weights pay.
 */
export async function equalizeChannels(
  model: Model,
  samples: Samples,
  indices: readonly number[],
  settings: RunSettings,
): Promise<Model> {
  const segments = segmentsOf(model);
  if (segments.length === 0) return model;
  const largest = await channelMaxima(model, segments, samples, indices, settings);
  const weights = new Map<string, Float32Array>();
  const graph = graphOf(model);
  const of = (name: string): Float32Array => {
    const known = weights.get(name) ?? Float32Array.from(toFloat32(graph.constant(name) as Tensor));
    weights.set(name, known);
    return known;
  };
  segments.forEach((segment, at) => {
    const factors = factorsOf(segment, largest[at] ?? new Float64Array(segment.channels));
    for (const maker of segment.makers) {
      scaleOutputs(of(maker.weight), graph.constant(maker.weight)?.dims ?? [], maker, factors);
      if (maker.bias !== undefined) {
        const bias = of(maker.bias);
        factors.forEach((factor, c) => (bias[c] = (bias[c] as number) * factor));
      }
    }
    for (const reader of segment.readers)
      scaleInputs(of(reader.weight), graph.constant(reader.weight)?.dims ?? [], reader, factors);
  });
  const editor = edit(model);
  for (const [name, data] of weights)
    editor.setInitializer(name, floatTensor(graph.constant(name)?.dims ?? [], data));
  return editor.done();
}

function factorsOf(segment: Segment, largest: Float64Array): Float64Array {
  const top = Math.max(...largest);
  const share = segment.readers.every(({ depthwise }) => depthwise) ? 1 : 0.5;
  return largest.map((own) => {
    if (own <= 0) return 1;
    const wanted = Math.min((top / own) ** share, MOST);
    const allowed = segment.ceiling / (own * ROOM);
    return Math.max(Math.min(wanted, allowed), 1);
  });
}

function scaleOutputs(
  data: Float32Array,
  dims: readonly number[],
  { outputAxis }: LayerDraft,
  factors: Float64Array,
): void {
  const inner = dims.slice(outputAxis + 1).reduce((a, b) => a * b, 1);
  for (let i = 0; i < data.length; i++) {
    const channel = Math.floor(i / inner) % factors.length;
    data[i] = (data[i] as number) * (factors[channel] as number);
  }
}

function scaleInputs(
  data: Float32Array,
  dims: readonly number[],
  { outputAxis, group }: LayerDraft,
  factors: Float64Array,
): void {
  const axis = 1 - outputAxis;
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const size = dims[axis] ?? 1;
  const perGroup = (dims[0] ?? 1) / group;
  for (let i = 0; i < data.length; i++) {
    const within = Math.floor(i / inner) % size;
    const output = Math.floor(i / (inner * size));
    const channel = group > 1 ? Math.floor(output / perGroup) * size + within : within;
    data[i] = (data[i] as number) / (factors[channel] as number);
  }
}

/** Largest magnitude of each channel of each segment, over all its tensors after activations. */
async function channelMaxima(
  model: Model,
  segments: readonly Segment[],
  samples: Samples,
  indices: readonly number[],
  settings: RunSettings,
): Promise<Float64Array[]> {
  const maxima = segments.map(({ channels }) => new Float64Array(channels));
  // What a layer reads is what is quantized; values before an activation are not.
  const read = segments.map(({ readers }) => [...new Set(readers.map(({ input }) => input))]);
  const names = [...new Set(read.flat())];
  if (names.length === 0) return maxima;
  await runOver(model, names, samples, indices, settings, (tensors, _offset, real) => {
    read.forEach((inputs, at) => {
      const into = maxima[at] as Float64Array;
      for (const name of inputs) {
        const tensor = tensors[name] as Tensor;
        const data = realPart(tensor, samples, real);
        const plane = tensor.dims.slice(2).reduce((a, b) => a * b, 1);
        for (let row = 0; row < data.length / plane; row++) {
          let most = 0;
          for (let i = row * plane; i < (row + 1) * plane; i++) {
            const magnitude = Math.abs(data[i] as number);
            if (magnitude > most) most = magnitude;
          }
          const channel = row % into.length;
          if (most > (into[channel] as number)) into[channel] = most;
        }
      }
    });
  });
  return maxima;
}

/** Sets of tensors that only layers and homogeneous nodes touch. */
function segmentsOf(model: Model): Segment[] {
  const graph = graphOf(model);
  const shapes = inferShapes(model);
  const parent = new Map<string, string>();
  const find = (name: string): string => {
    const up = parent.get(name);
    return up === undefined || up === name ? name : find(up);
  };
  const closed = new Set<string>();
  const ceilings = new Map<string, number>();
  const drafts: LayerDraft[] = [];
  for (const node of graph.nodes) {
    const draft = layerOf(graph, shapes, node);
    const scalable = draft && isScalable(graph, draft);
    if (scalable) drafts.push(draft);
    else if (!carries(graph, shapes, node))
      for (const name of [...node.inputs, ...node.outputs]) closed.add(name);
    else {
      const output = node.outputs[0] ?? '';
      const joined = node.op === 'Add' ? node.inputs : node.inputs.slice(0, 1);
      for (const name of joined) parent.set(find(name), find(output));
      const bounds = clipBounds(graph, node);
      if (bounds) ceilings.set(output, Math.min(bounds[1], bounds[0] < 0 ? -bounds[0] : Infinity));
    }
  }
  const isClosed = (name: string): boolean =>
    closed.has(name) || graph.isOutput(name) || graph.usedInSubgraph(name) || !graph.producer(name);
  const members = new Map<string, Set<string>>();
  for (const name of [
    ...parent.keys(),
    ...drafts.flatMap(({ input, output }) => [input, output]),
  ]) {
    const root = find(name);
    members.set(root, (members.get(root) ?? new Set([root])).add(name));
  }
  return [...members].flatMap(([root, tensors]) => {
    if ([...tensors].some(isClosed)) return [];
    const makers = drafts.filter(({ output }) => find(output) === root);
    const readers = drafts.filter(({ input }) => find(input) === root);
    const channels = makers[0]?.outputs ?? 0;
    const even = makers.every(({ outputs }) => outputs === channels);
    if (!even || readers.length === 0 || readers.some(({ inputs }) => inputs !== channels))
      return [];
    const ceiling = Math.min(...[...tensors].map((name) => ceilings.get(name) ?? Infinity));
    return [{ channels, tensors, makers, readers, ceiling }];
  });
}

/** Weights that no other node reads, over channels on axis 1. */
function isScalable(graph: Graph, draft: LayerDraft): boolean {
  const own = [draft.weight, draft.bias].filter((name) => name !== undefined);
  return draft.kind !== 'matmul' && own.every((name) => graph.consumers(name).length === 1);
}

function carries(graph: Graph, shapes: ShapeMap, node: Node): boolean {
  if (!HOMOGENEOUS.has(node.op) || node.domain !== '' || node.outputs.length !== 1) return false;
  const dims = (name: string | undefined): readonly number[] => shapes.get(name ?? '')?.dims ?? [];
  const [input, output] = [dims(node.inputs[0]), dims(node.outputs[0])];
  if (input[1] === undefined || input[1] !== output[1]) return false;
  if (node.op === 'Clip') {
    const bounds = clipBounds(graph, node);
    return bounds !== undefined && bounds[0] <= 0 && bounds[1] > 0;
  }
  if (node.op !== 'Add') return true;
  return node.inputs.every((name) => !graph.constant(name) && dims(name).join() === output.join());
}
