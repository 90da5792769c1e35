import type { DType } from '../dtype.js';
import { OnnxError } from '../errors.js';
import { graphOf, type Graph } from '../graph.js';
import type { Model } from '../model.js';
import type { Node } from '../node.js';
import { elementCount, toNumbers, type Tensor } from '../tensor.js';
import type { ValueInfo } from '../value-info.js';
import { areKnown, MAX_RANK, shaped, unknown, type AbstractTensor } from './abstract-tensor.js';
import { convolutionRules } from './convolution.js';
import { generationRules } from './generation.js';
import { layoutRules } from './layout.js';
import { matrixRules } from './matrix.js';
import { normalizationRules } from './normalization.js';
import { pointwiseRules } from './pointwise.js';
import { poolingRules } from './pooling.js';
import { quantizationRules } from './quantization.js';
import { recurrentRules } from './recurrent.js';
import { reductionRules } from './reduction.js';
import type { Rules } from './rule.js';
import { selectionRules } from './selection.js';

const RULES: ReadonlyMap<string, Rules[string]> = new Map(
  Object.entries({
    ...convolutionRules,
    ...generationRules,
    ...layoutRules,
    ...matrixRules,
    ...normalizationRules,
    ...pointwiseRules,
    ...poolingRules,
    ...quantizationRules,
    ...recurrentRules,
    ...reductionRules,
    ...selectionRules,
  }),
);

/** Operators of ONNX Runtime's own domain that follow the rule of the same name. */
const CONTRIBUTED = new Set(['QuantizeLinear', 'DequantizeLinear', 'Gelu']);

const MAX_ELEMENTS = 65_536;

/** Elements that one inference keeps at most, so that no graph can fill the memory with constants. */
const MAX_STORED_ELEMENTS = 2 ** 24;

export interface ShapeOptions {
  /** For an open or named first dimension of an input, and others of that name; 1 by default. */
  readonly batch?: number;
  /** Full shapes of inputs, which come before the batch and what is declared. */
  readonly inputs?: Readonly<Record<string, readonly number[]>>;
}

export interface InferredShape {
  /** null when a dimension could not be found. */
  readonly dims: number[] | null;
  /** `undefined` where it could not be found. */
  readonly dtype: DType;
}

export type ShapeMap = ReadonlyMap<string, InferredShape>;

/**
 * Shapes and types of every value for a given batch. Shape arithmetic is computed along the way.
 * An operator without a rule gives `dims: null`, unless the model declares its shape.
 */
export function inferShapes(model: Model, options: ShapeOptions = {}): ShapeMap {
  const values = inferValues(model, {
    batch: options.batch ?? 1,
    inputs: options.inputs ?? {},
    maxElements: MAX_ELEMENTS,
    trustDeclared: true,
  });
  const shapes = new Map<string, InferredShape>();
  for (const [name, { dims, dtype }] of values) {
    shapes.set(name, { dims: dims !== null && areKnown(dims) ? [...dims] : null, dtype });
  }
  return shapes;
}

export interface InferenceSettings {
  /** NaN leaves the batch open. */
  readonly batch: number;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly maxElements: number;
  /** Whether shapes that the model declares fill what no rule finds. */
  readonly trustDeclared: boolean;
}

/** What is known of every value, elements included where there are at most `maxElements`. */
export function inferValues(
  model: Model,
  settings: InferenceSettings,
): Map<string, AbstractTensor> {
  const graph = graphOf(model);
  const values = new Map<string, AbstractTensor>();
  const named = batchNames(graph);
  for (const [name, tensor] of graph.initializers) {
    values.set(name, followed(fromConstant(tensor, settings.maxElements)));
  }
  for (const input of graph.inputs) {
    const given = settings.inputs[input.name];
    values.set(
      input.name,
      followed({
        dtype: input.dtype,
        dims: given ?? (input.ranked ? declaredDims(input, named, settings.batch, true) : null),
      }),
    );
  }
  let left = MAX_STORED_ELEMENTS;
  for (const node of graph.nodes) {
    const found = applyRule(graph, node, values, settings);
    node.outputs.forEach((name, index) => {
      if (name === '') return;
      let value = found[index] ?? unknown();
      if (node.op !== 'Constant' && value.data !== undefined) {
        left -= value.data.length;
        if (left < 0) value = shaped(value.dtype, value.dims);
      }
      const declared = settings.trustDeclared ? graph.valueInfo.get(name) : undefined;
      values.set(name, followed(completed(followed(value), declared, named, settings.batch)));
    });
  }
  return values;
}

/** A value, unless it has more dimensions than are followed. */
const followed = (value: AbstractTensor): AbstractTensor =>
  (value.dims?.length ?? 0) > MAX_RANK ? unknown(value.dtype) : value;

function applyRule(
  graph: Graph,
  node: Node,
  values: ReadonlyMap<string, AbstractTensor>,
  settings: InferenceSettings,
): readonly AbstractTensor[] {
  const ruled = node.domain === '' || (node.domain === 'com.microsoft' && CONTRIBUTED.has(node.op));
  if (node.op === 'Constant' && node.domain === '') {
    const tensor = graph.constant(node.outputs[0] ?? '');
    return tensor === undefined ? [] : [fromConstant(tensor, settings.maxElements)];
  }
  const rule = ruled ? RULES.get(node.op) : undefined;
  try {
    return (
      rule?.({
        node,
        opset: graph.opset,
        maxElements: settings.maxElements,
        input: (index) => {
          const name = node.inputs[index] ?? '';
          return name === '' ? undefined : values.get(name);
        },
      }) ?? []
    );
  } catch (error) {
    // A node that ONNX Runtime would refuse (an axis out of range, say) has no shape.
    if (error instanceof OnnxError || error instanceof RangeError) return [];
    throw error;
  }
}

function fromConstant(tensor: Tensor, maxElements: number): AbstractTensor {
  return {
    dtype: tensor.dtype,
    dims: tensor.dims,
    get data() {
      return elementCount(tensor.dims) > maxElements ? undefined : toNumbers(tensor);
    },
  };
}

/** Names that inputs give their first dimension: wherever they stand, they mean the batch. */
function batchNames(graph: Graph): ReadonlySet<string> {
  return new Set(
    graph.inputs.map(({ shape }) => shape[0]).filter((dim) => typeof dim === 'string'),
  );
}

function declaredDims(
  info: ValueInfo,
  named: ReadonlySet<string>,
  batch: number,
  isInput: boolean,
): number[] {
  return info.shape.map((dim, axis) => {
    if (typeof dim === 'number') return dim;
    const isBatch = dim === null ? isInput && axis === 0 : named.has(dim);
    return isBatch ? batch : NaN;
  });
}

/** What a rule found, with what the model declares where the rule found nothing. */
function completed(
  value: AbstractTensor,
  info: ValueInfo | undefined,
  named: ReadonlySet<string>,
  batch: number,
): AbstractTensor {
  if (info === undefined) return value;
  const dtype = value.dtype === 'undefined' ? info.dtype : value.dtype;
  if (!info.ranked || (value.dims !== null && areKnown(value.dims))) {
    return dtype === value.dtype ? value : { ...value, dtype };
  }
  const declared = declaredDims(info, named, batch, false);
  const { dims } = value;
  if (dims !== null && dims.length !== declared.length) return value;
  return {
    dtype,
    dims: dims?.map((dim, axis) => (Number.isNaN(dim) ? (declared[axis] ?? NaN) : dim)) ?? declared,
    data: value.data,
  };
}
