import {
  attrFloat,
  attrInt,
  attrInts,
  attrString,
  edit,
  type GraphEditor,
  graphOf,
  hasAttribute,
  inferShapes,
  int64Tensor,
  type Model,
  type Node,
  OnnxError,
  readModel,
  scalar,
  type ShapeMap,
  type Tensor,
  writeModel,
} from '@espalier/onnx';

/** The first version whose DequantizeLinear takes a scale a channel. */
export const QDQ_OPSET = 13;
/** The file format that came with it. */
const IR_VERSION = 7n;

/** Operators that mean in version 13 what they meant in any version from 9 on. */
const SAME = new Set(
  `Abs Acos Acosh Add And ArgMax ArgMin Asin Asinh Atan Atanh AveragePool BatchNormalization BitShift
  Cast Ceil Celu Compress Concat Constant ConstantOfShape Conv ConvInteger ConvTranspose Cos Cosh CumSum
  DepthToSpace DequantizeLinear Det Div DynamicQuantizeLinear Einsum Elu Equal Erf Exp Expand EyeLike
  Flatten Floor GRU Gather GatherElements GatherND Gemm GlobalAveragePool GlobalLpPool GlobalMaxPool
  Greater GreaterOrEqual HardSigmoid Identity InstanceNormalization IsInf IsNaN LRN LSTM LeakyRelu Less
  LessOrEqual Log LpNormalization LpPool MatMul MatMulInteger Max MaxPool MaxRoiPool Mean
  MeanVarianceNormalization Min Mod Mul Neg NonMaxSuppression NonZero Not OneHot Or PRelu Pow QLinearConv
  QLinearMatMul QuantizeLinear RNN Range Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp
  ReduceMax ReduceMean ReduceMin ReduceProd ReduceSumSquare Relu Reshape ReverseSequence RoiAlign Round
  ScatterElements ScatterND Selu Shape Shrink Sigmoid Sign Sin Sinh Size Softplus Softsign SpaceToDepth
  Sqrt Sub Sum Tan Tanh ThresholdedRelu Tile Transpose Where Xor`.split(/\s+/),
);

interface Rewriting {
  readonly editor: GraphEditor;
  readonly shapes: ShapeMap;
  /** The version that the model has. */
  readonly from: number;
}

type Rewrite = (node: Node, rewriting: Rewriting) => void;

/** What other operators need, so that they mean the same in version 13. */
const REWRITES: Readonly<Record<string, Rewrite>> = {
  Squeeze: (node, { editor }) => listToInput(editor, node, 'axes', 1),
  Unsqueeze: (node, { editor }) => listToInput(editor, node, 'axes', 1),
  ReduceSum: (node, { editor }) => listToInput(editor, node, 'axes', 1),
  Split: (node, { editor }) => listToInput(editor, node, 'split', 1),
  Softmax: oneAxis,
  LogSoftmax: oneAxis,
  Hardmax: oneAxis,
  Dropout: (node, { editor }) => {
    editor.setAttribute(node, 'ratio', undefined);
  },
  Clip: (node, { editor, from }) => {
    if (from >= 11) return;
    floatToInput(editor, node, 'min', 1);
    floatToInput(editor, node, 'max', 2);
  },
  Pad: (node, { editor, from }) => {
    if (from >= 11) return;
    listToInput(editor, node, 'pads', 1);
    floatToInput(editor, node, 'value', 2);
  },
  Slice: (node, { editor, from }) => {
    if (from >= 10) return;
    listToInput(editor, node, 'starts', 1);
    listToInput(editor, node, 'ends', 2);
    listToInput(editor, node, 'axes', 3);
  },
  TopK: (node, { editor, from }) => {
    if (from >= 10) return;
    toInput(editor, node, 'k', 1, int64Tensor([1], [attrInt(node, 'k', 1)]));
  },
  Scatter: (node, { editor }) => replace(editor, node, 'ScatterElements', node.inputs),
  Upsample: (node, { editor, from }) => {
    if (from >= 10) refuse(node, 'it was withdrawn in version 10');
    resize(editor, node);
  },
  Resize: (node, { editor, from }) => {
    if (from === 10) resize(editor, node);
    else if (attrString(node, 'coordinate_transformation_mode', '') === 'tf_half_pixel_for_nn')
      refuse(node, 'its coordinates "tf_half_pixel_for_nn" were withdrawn in version 13');
  },
};

/**
 * The same model in version 13 of the operators, where it has an older one.
 * @throws OnnxError ONNX_UNSUPPORTED_OPSET when an operator cannot be carried over as it is
 */
export function raiseOpset(model: Model): Model {
  if (model.opset >= QDQ_OPSET) return model;
  const shapes = inferShapes(model);
  const raised = withVersion(model);
  const editor = edit(raised);
  for (const node of graphOf(raised).nodes) {
    if (node.domain !== '') continue;
    if (node.hasSubgraph) checkSubgraphs(node);
    else if (Object.hasOwn(REWRITES, node.op))
      REWRITES[node.op]?.(node, { editor, shapes, from: model.opset });
    else if (!SAME.has(node.op))
      refuse(node, 'it is not among the operators that are known to stay the same');
  }
  return editor.done();
}

function withVersion(model: Model): Model {
  const opsetImport = model.proto.opsetImport.map((entry) =>
    entry.domain === '' || entry.domain === 'ai.onnx'
      ? changed(entry, { version: BigInt(QDQ_OPSET) })
      : entry,
  );
  const irVersion = model.proto.irVersion > IR_VERSION ? model.proto.irVersion : IR_VERSION;
  return readModel(
    writeModel({ ...model, proto: changed(model.proto, { opsetImport, irVersion }) }),
  );
}

function changed<T extends object>(message: T, changes: Partial<T>): T {
  const copy = Object.create(
    Object.getPrototypeOf(message) as object | null,
    Object.getOwnPropertyDescriptors(message),
  ) as T;
  return Object.assign(copy, changes);
}

function refuse(node: Node, why: string): never {
  throw new OnnxError(
    'ONNX_UNSUPPORTED_OPSET',
    `The ${node.op} node "${node.key}" cannot be raised to opset ${QDQ_OPSET}, which int8 needs: ${why}. Export the model at opset ${QDQ_OPSET} or later.`,
  );
}

function checkSubgraphs(node: Node): void {
  for (const { g, graphs } of node.proto.attribute) {
    for (const inner of [...(g ? [g] : []), ...graphs].flatMap((graph) => graph.node)) {
      const nested = inner.attribute.some(({ g, graphs }) => g !== undefined || graphs.length > 0);
      if (nested || (inner.domain === '' && !SAME.has(inner.opType)))
        refuse(node, `its subgraph holds ${inner.opType}`);
    }
  }
}

function toInput(
  editor: GraphEditor,
  node: Node,
  name: string,
  index: number,
  value: Tensor,
): void {
  const constant = editor.freshName(`${node.outputs[0] ?? node.op}_${name}`);
  editor.setInitializer(constant, value);
  editor.replaceInput(node, index, constant);
  editor.setAttribute(node, name, undefined);
}

function listToInput(editor: GraphEditor, node: Node, name: string, index: number): void {
  const values = attrInts(node, name);
  if (values) toInput(editor, node, name, index, int64Tensor([values.length], values));
}

function floatToInput(editor: GraphEditor, node: Node, name: string, index: number): void {
  if (hasAttribute(node, name))
    toInput(editor, node, name, index, scalar(attrFloat(node, name, 0)));
}

/** Before version 13 a Softmax ran over all axes from its own on, flattened; then over that one. */
function oneAxis(node: Node, { editor, shapes }: Rewriting): void {
  const dims = shapes.get(node.inputs[0] ?? '')?.dims;
  if (!dims) refuse(node, 'the shape that it works on is not known');
  const given = attrInt(node, 'axis', 1);
  const axis = given < 0 ? given + dims.length : given;
  if (dims.slice(axis + 1).some((dim) => dim !== 1))
    refuse(node, `it runs over several axes of [${dims.join(', ')}] at once`);
  editor.setAttribute(node, 'axis', { int: axis });
}

/** Resize of version 10, and Upsample before it: sizes by scales, coordinates from the corner. */
function resize(editor: GraphEditor, node: Node): void {
  const [input = '', scales = ''] = node.inputs;
  replace(editor, node, 'Resize', [input, '', scales], {
    mode: { string: attrString(node, 'mode', 'nearest') },
    coordinate_transformation_mode: { string: 'asymmetric' },
    nearest_mode: { string: 'floor' },
  });
}

function replace(
  editor: GraphEditor,
  node: Node,
  op: string,
  inputs: readonly string[],
  attributes?: Parameters<GraphEditor['addNode']>[0]['attributes'],
): void {
  const kept = hasAttribute(node, 'axis') ? { axis: { int: attrInt(node, 'axis', 0) } } : {};
  const at = { before: node };
  editor.addNode(
    { op, name: node.name, inputs, outputs: node.outputs, attributes: attributes ?? kept },
    at,
  );
  editor.removeNode(node);
}
