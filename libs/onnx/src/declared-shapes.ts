import type { ValueInfoProto } from 'onnx-buf';
import { shallowCopy } from './message-copy.js';
import type { Model } from './model.js';
import { inferShapes, type InferredShape, type ShapeMap } from './shape-inference/infer.js';
import { encodeValueInfo, valueInfoOf, type Dim } from './value-info.js';

/**
 * Make the declared shapes of a changed model agree with its graph: numbers that no longer hold are
 * replaced, names and open dimensions stay, and a declaration that can no longer be checked goes.
 */
export function refreshDeclaredShapes(model: Model): Model {
  const { graph } = model;
  const shapes = inferShapes(model);
  const outputs = graph.output.map((info) => refreshed(info, shapes) ?? opened(info));
  const valueInfo = graph.valueInfo.flatMap((info) => refreshed(info, shapes) ?? []);
  const unchanged =
    outputs.every((info, index) => info === graph.output[index]) &&
    valueInfo.length === graph.valueInfo.length &&
    valueInfo.every((info, index) => info === graph.valueInfo[index]);
  if (unchanged) return model;
  const fresh = shallowCopy(graph, { output: outputs, valueInfo });
  return { ...model, graph: fresh, proto: shallowCopy(model.proto, { graph: fresh }) };
}

/** The declaration itself when it holds, one that holds, or undefined when that is not known. */
function refreshed(info: ValueInfoProto, shapes: ShapeMap): ValueInfoProto | undefined {
  const declared = valueInfoOf(info);
  const found = shapes.get(info.name);
  if (found?.dims == null) return undefined;
  if (declared.dtype === 'undefined' || !declared.ranked) {
    return declared.dtype === found.dtype ? info : encodeValueInfo(info.name, found.dtype);
  }
  const shape = merged(declared.shape, found);
  const holds =
    declared.dtype === found.dtype &&
    shape.length === declared.shape.length &&
    shape.every((dim, axis) => dim === declared.shape[axis]);
  return holds ? info : encodeValueInfo(info.name, found.dtype, shape);
}

function merged(declared: readonly Dim[], found: InferredShape): Dim[] {
  const dims = found.dims ?? [];
  if (dims.length !== declared.length) return dims.map(() => null);
  return dims.map((dim, axis) =>
    typeof declared[axis] === 'number' ? dim : (declared[axis] ?? null),
  );
}

/** An output whose shape is not known any more: the type alone. */
function opened(info: ValueInfoProto): ValueInfoProto {
  const { dtype } = valueInfoOf(info);
  return dtype === 'undefined' ? info : encodeValueInfo(info.name, dtype);
}
