import type { DType } from './dtype.js';
import { edit } from './edit.js';
import { graphOf } from './graph.js';
import type { Model } from './model.js';
import { areKnown, type AbstractTensor } from './shape-inference/abstract-tensor.js';
import { inferValues } from './shape-inference/infer.js';
import { elementCount, tensorOf, type Tensor } from './tensor.js';

/** Results larger than this, and than what they are made from, would only make the file grow. */
const SMALL = 1024;

const MAX_ELEMENTS = 2 ** 20;

/**
 * Make initialisers of what does not depend on the inputs: Constant nodes, exact arithmetic over
 * constants, and shape arithmetic that holds for every batch. Open dimensions stay open: what depends
 * on them is left as it is. A DequantizeLinear is never folded, nor a function whose result could
 * differ from ONNX Runtime's in its last bit.
 */
export function foldConstants(model: Model): Model {
  const graph = graphOf(model);
  const values = inferValues(model, {
    batch: NaN,
    inputs: {},
    maxElements: MAX_ELEMENTS,
    trustDeclared: false,
  });
  const editor = edit(model);
  for (const node of graph.nodes) {
    if (node.hasSubgraph || node.outputs.some((name) => graph.isOutput(name))) continue;
    const from = node.inputs.reduce(
      (sum, name) => sum + elementCount(graph.constant(name)?.dims ?? [0]),
      SMALL,
    );
    const folded = node.outputs.map((name) =>
      node.op === 'Constant' ? graph.constant(name) : computed(values.get(name), from),
    );
    if (folded.some((tensor) => tensor === undefined)) continue;
    editor.removeNode(node);
    node.outputs.forEach((name, index) => {
      const tensor = folded[index];
      if (tensor !== undefined) editor.setInitializer(name, tensor);
    });
  }
  return editor.removeUnused().done();
}

const ENCODE: Partial<Record<DType, (data: Float64Array) => Tensor['data']>> = {
  float32: (data) => Float32Array.from(data),
  float64: (data) => data,
  int8: (data) => Int8Array.from(data),
  uint8: (data) => Uint8Array.from(data),
  bool: (data) => Uint8Array.from(data),
  int16: (data) => Int16Array.from(data),
  uint16: (data) => Uint16Array.from(data),
  int32: (data) => Int32Array.from(data),
  uint32: (data) => Uint32Array.from(data),
  int64: (data) => BigInt64Array.from(data, BigInt),
};

function computed(value: AbstractTensor | undefined, maxElements: number): Tensor | undefined {
  if (value?.data === undefined || value.dims === null) return undefined;
  const { data, dims, dtype } = value;
  if (data.length > maxElements || !areKnown(dims) || !areKnown(data)) return undefined;
  if (dtype === 'int64' && data.some((element) => !Number.isSafeInteger(element))) return undefined;
  const encoded = ENCODE[dtype]?.(data);
  return encoded === undefined ? undefined : tensorOf(dtype, dims, encoded);
}
