import {
  attrInt,
  attrInts,
  edit,
  graphOf,
  int64Tensor,
  type Model,
  type Tensor,
} from '@espalier/onnx';
import { CompressionError } from '../errors.js';
import type { ChannelGraph } from './channel-graph.js';
import type { Rewrite } from './labels.js';

/** Units to remove, by the id that stands for each. */
export type RemovedUnits = ReadonlySet<number>;

/**
 * Removes units from a model: slices every constant that their channels index, and rewrites the
 * attributes and shapes that count them. What is left computes what the model with those channels
 * masked would.
 * @throws CompressionError COMPRESS_EMPTY_CUT when a tensor would keep no channel
 */
export function cutChannels(channels: ChannelGraph, removed: RemovedUnits): Model {
  if (removed.size === 0) return channels.model;
  const graph = graphOf(channels.model);
  const stays = (id: number): boolean => !removed.has(channels.rootOf(id));
  const editor = edit(channels.model);
  const byTensor = new Map<string, { axis: number; kept: number[] }[]>();
  for (const site of channels.sites) {
    const kept = positionsKept(site.ids, stays);
    if (kept.length === 0) throw emptied(site.tensor);
    if (kept.length === site.ids.length) continue;
    const axes = byTensor.get(site.tensor) ?? [];
    axes.push({ axis: site.axis, kept });
    byTensor.set(site.tensor, axes);
  }
  for (const [tensor, axes] of byTensor) {
    const whole = graph.constant(tensor);
    if (!whole) continue;
    editor.setInitializer(
      tensor,
      axes.reduce((t, { axis, kept }) => takeAlong(t, axis, kept), whole),
    );
  }
  for (const rewrite of channels.rewrites) applyRewrite(rewrite, stays, channels.model, editor);
  editor.clearValueInfo();
  return editor.done();
}

/** Positions whose ids stay. */
export function positionsKept(ids: Int32Array, stays: (id: number) => boolean): number[] {
  const kept: number[] = [];
  ids.forEach((id, position) => {
    if (stays(id)) kept.push(position);
  });
  return kept;
}

/** The tensor with only the given positions of one axis. */
export function takeAlong(tensor: Tensor, axis: number, positions: readonly number[]): Tensor {
  const size = tensor.dims[axis] ?? 1;
  const inner = tensor.dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const outer = tensor.dims.slice(0, axis).reduce((a, b) => a * b, 1);
  const dims = tensor.dims.map((dim, i) => (i === axis ? positions.length : dim));
  const source = tensor.data as Float32Array;
  const data = source.slice(0, 0).constructor as Float32ArrayConstructor;
  const taken = new data(outer * positions.length * inner);
  let to = 0;
  for (let o = 0; o < outer; o++) {
    for (const position of positions) {
      const from = (o * size + position) * inner;
      taken.set(source.subarray(from, from + inner), to);
      to += inner;
    }
  }
  return { dtype: tensor.dtype, dims, data: taken };
}

function emptied(tensor: string): CompressionError {
  return new CompressionError(
    'COMPRESS_EMPTY_CUT',
    `The cut leaves "${tensor}" without channels; keep at least one of each producer.`,
  );
}

function applyRewrite(
  rewrite: Rewrite,
  stays: (id: number) => boolean,
  model: Model,
  editor: ReturnType<typeof edit>,
): void {
  const graph = graphOf(model);
  const count = (ids: Int32Array): number => positionsKept(ids, stays).length;
  const setInts = (input: number, hint: string, values: number[]): void => {
    const name = editor.freshName(hint);
    editor.setInitializer(name, int64Tensor([values.length], values));
    editor.replaceInput(rewrite.node, input, name);
  };
  const ints = (input: number): number[] => {
    const constant = graph.constant(rewrite.node.inputs[input] ?? '');
    return constant ? Array.from(constant.data as ArrayLike<number | bigint>, Number) : [];
  };
  const { node } = rewrite;
  switch (rewrite.kind) {
    case 'group': {
      editor.setAttribute(node, 'group', { int: count(rewrite.ids) });
      return;
    }
    case 'split': {
      const sizes = rewrite.parts.map(count);
      if (sizes.includes(0)) throw emptied(node.outputs[sizes.indexOf(0)] ?? '');
      if (graph.opset < 13) editor.setAttribute(node, 'split', { ints: sizes });
      else {
        if (attrInt(node, 'num_outputs', 0) > 0)
          editor.setAttribute(node, 'num_outputs', undefined);
        setInts(1, `${node.outputs[0] ?? ''}_split`, sizes);
      }
      return;
    }
    case 'slice': {
      const before = count(rewrite.ids.subarray(0, rewrite.start));
      const inside = count(rewrite.ids.subarray(rewrite.start, rewrite.end));
      if (inside === 0) throw emptied(node.outputs[0] ?? '');
      const put = (values: readonly number[], value: number): number[] =>
        values.map((old, i) => (i === rewrite.entry ? value : old));
      const starts = attrInts(node, 'starts');
      if (starts) {
        editor.setAttribute(node, 'starts', { ints: put(starts, before) });
        editor.setAttribute(node, 'ends', {
          ints: put(attrInts(node, 'ends') ?? [], before + inside),
        });
      } else {
        setInts(1, `${node.outputs[0] ?? ''}_starts`, put(ints(1), before));
        setInts(2, `${node.outputs[0] ?? ''}_ends`, put(ints(2), before + inside));
      }
      return;
    }
    case 'entry': {
      const values = ints(rewrite.input);
      values[rewrite.entry] = count(rewrite.ids);
      setInts(rewrite.input, `${node.outputs[0] ?? ''}_shape`, values);
      return;
    }
    case 'gather': {
      const rank = new Map(positionsKept(rewrite.ids, stays).map((position, at) => [position, at]));
      const size = rewrite.ids.length;
      const picked = ints(1)
        .map((at) => rank.get(at < 0 ? at + size : at))
        .filter((at) => at !== undefined);
      if (picked.length === 0) throw emptied(node.outputs[0] ?? '');
      setInts(1, `${node.outputs[0] ?? ''}_indices`, picked);
    }
  }
}
