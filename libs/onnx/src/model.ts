import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { ModelProtoSchema, type GraphProto, type ModelProto, type NodeProto } from 'onnx-buf';
import { OnnxError } from './errors.js';
import { namesExternalData } from './external-data.js';
import { capturedNames, definedNames, subgraphsOf } from './node.js';
import { checkTensor } from './tensor.js';
import { sortNodes } from './topology.js';
import { checkWire } from './wire.js';

/** Versions of the default operator domain that are read, the first and the last. */
export const MIN_OPSET = 9;
export const MAX_OPSET = 26;

/** A checked model. Immutable: `edit` makes a new one. */
export interface Model {
  readonly proto: ModelProto;
  readonly graph: GraphProto;
  /** Version of the default operator domain. */
  readonly opset: number;
}

/** Bounds on what `readModel` accepts, in bytes. */
export interface ModelLimits {
  /** Largest file; 512 MiB by default. */
  readonly maxBytes?: number;
  /** Largest estimated size of the parsed structure beside the file; 256 MiB by default. */
  readonly maxHeapBytes?: number;
}

/**
 * Parse and check an ONNX file. The model keeps views of `bytes`: do not change them afterwards.
 * Whatever is not understood (metadata, other domains, subgraphs, unknown fields) is kept.
 *
 * @throws OnnxError ONNX_CORRUPT, ONNX_TOO_LARGE, ONNX_UNSUPPORTED_OPSET (default domain outside 9 to
 * 26), ONNX_EXTERNAL_DATA, ONNX_INVALID_GRAPH (a name defined twice or never, a cycle).
 */
export function readModel(bytes: Uint8Array, limits: ModelLimits = {}): Model {
  const maxBytes = limits.maxBytes ?? 512 * 2 ** 20;
  if (bytes.length > maxBytes) {
    throw new OnnxError(
      'ONNX_TOO_LARGE',
      `The file has ${bytes.length} bytes; at most ${maxBytes} are read.`,
    );
  }
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  checkWire(plain, ModelProtoSchema, limits.maxHeapBytes ?? 256 * 2 ** 20);
  let proto: ModelProto;
  try {
    proto = fromBinary(ModelProtoSchema, plain);
  } catch (cause) {
    throw new OnnxError(
      'ONNX_CORRUPT',
      `The file is not a valid ONNX protobuf (${cause instanceof Error ? cause.message : String(cause)}).`,
      { cause },
    );
  }
  const model = modelOf(proto);
  // Where nothing of ours reads a tensor, as in functions, ONNX Runtime still would.
  if (namesExternalData(plain)) {
    throw new OnnxError(
      'ONNX_EXTERNAL_DATA',
      'The model keeps data in another file. Save the model as a single file.',
    );
  }
  return model;
}

/**
 * The ONNX bytes of a model; the same model always gives the same bytes, and a model that was read
 * and not changed gives the bytes of its file, where that file was in canonical protobuf order.
 */
export function writeModel(model: Model): Uint8Array {
  return toBinary(ModelProtoSchema, model.proto);
}

/** Check a ModelProto and wrap it. @throws OnnxError as readModel does. */
export function modelOf(proto: ModelProto): Model {
  const graph = proto.graph;
  if (graph === undefined) {
    throw new OnnxError('ONNX_CORRUPT', 'The file holds no graph: it is no ONNX model.');
  }
  const opset = checkOpset(proto);
  checkNames(graph);
  for (const tensor of graph.initializer) checkTensor(tensor);
  checkNodeTensors(graph.node);
  sortNodes(graph.node);
  return { proto, graph, opset };
}

function checkOpset(proto: ModelProto): number {
  const versions = proto.opsetImport.filter(({ domain }) => domain === '' || domain === 'ai.onnx');
  const opset = Number(versions[0]?.version ?? 0n);
  if (opset < MIN_OPSET || opset > MAX_OPSET) {
    throw new OnnxError(
      'ONNX_UNSUPPORTED_OPSET',
      `The model uses opset ${opset || 'none'} of the default domain; ${MIN_OPSET} to ${MAX_OPSET} are supported. Convert it first.`,
    );
  }
  return opset;
}

function checkNames(graph: GraphProto): void {
  const inputs = new Set<string>();
  const define = (names: Set<string>, name: string, where: string): void => {
    if (name === '' || names.has(name)) {
      throw new OnnxError(
        'ONNX_INVALID_GRAPH',
        name === ''
          ? `${where} has no name.`
          : `${where} defines "${name}", which is defined already.`,
      );
    }
    names.add(name);
  };
  for (const input of graph.input) define(inputs, input.name, 'An input');
  const values = new Set<string>();
  for (const tensor of graph.initializer) define(values, tensor.name, 'An initialiser');
  for (const sparse of graph.sparseInitializer) {
    define(values, sparse.values?.name ?? '', 'A sparse initialiser');
  }
  for (const input of inputs) values.add(input);
  for (const node of graph.node) {
    for (const output of node.output) {
      if (output !== '') define(values, output, `The ${node.opType} node "${node.name}"`);
    }
  }
  for (const node of graph.node) {
    const reads = [...node.input, ...subgraphsOf(node).flatMap(capturedNames)];
    const missing = reads.find((name) => name !== '' && !values.has(name));
    if (missing !== undefined) {
      throw new OnnxError(
        'ONNX_INVALID_GRAPH',
        `The ${node.opType} node "${node.name}" reads "${missing}", which nothing defines.`,
      );
    }
  }
  const outputs = new Set<string>();
  for (const output of graph.output) {
    define(outputs, output.name, 'A graph output');
    if (!values.has(output.name)) {
      throw new OnnxError(
        'ONNX_INVALID_GRAPH',
        `The graph output "${output.name}" is not defined.`,
      );
    }
  }
}

function checkNodeTensors(nodes: readonly NodeProto[]): void {
  for (const node of nodes) {
    for (const attribute of node.attribute) {
      for (const tensor of attribute.tensors) checkTensor(tensor);
      if (attribute.t !== undefined) checkTensor(attribute.t);
    }
    for (const subgraph of subgraphsOf(node)) {
      for (const tensor of subgraph.initializer) checkTensor(tensor);
      checkNodeTensors(subgraph.node);
    }
  }
}

/** Every value name in the graph and in all of its subgraphs. */
export function allNames(graph: GraphProto): Set<string> {
  const names = definedNames(graph);
  for (const node of graph.node) {
    for (const subgraph of subgraphsOf(node))
      for (const name of allNames(subgraph)) names.add(name);
  }
  return names;
}
