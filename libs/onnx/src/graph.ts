import type { TensorProto } from 'onnx-buf';
import { attrFloat, attrFloats, attrInt, attrInts, attrTensor, hasAttribute } from './attribute.js';
import { dtypeOf } from './dtype.js';
import type { Model } from './model.js';
import { nodeOf, type Node } from './node.js';
import { decodeTensor, floatTensor, int64Tensor, isDecodable, type Tensor } from './tensor.js';
import { sortNodes } from './topology.js';
import { valueInfoOf, type ValueInfo } from './value-info.js';

const GRAPHS = new WeakMap<Model, Graph>();

/** The graph view of a model, built once a model. */
export function graphOf(model: Model): Graph {
  const known = GRAPHS.get(model);
  if (known !== undefined) return known;
  const graph = new Graph(model);
  GRAPHS.set(model, graph);
  return graph;
}

/** An immutable view of a model's main graph. */
export class Graph {
  readonly name: string;
  readonly opset: number;
  /** In an order that can be executed. */
  readonly nodes: readonly Node[];
  /** Without those that only declare an initialiser. */
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Initialisers of decodable types, decoded when first asked for. */
  readonly initializers: ReadonlyMap<string, Tensor>;
  /** Declared types of values in between. */
  readonly valueInfo: ReadonlyMap<string, ValueInfo>;

  private readonly allInitializers: ReadonlySet<string>;
  private readonly producers = new Map<string, Node>();
  private readonly readers = new Map<string, Node[]>();
  private readonly outputNames: ReadonlySet<string>;
  private readonly captured = new Set<string>();
  private readonly constants = new Map<string, Tensor | undefined>();

  constructor({ graph, opset }: Model) {
    this.name = graph.name;
    this.opset = opset;
    const names = new Map<string, number>();
    for (const { name } of graph.node) names.set(name, (names.get(name) ?? 0) + 1);
    const positions = new Map(graph.node.map((proto, index) => [proto, index]));
    this.nodes = sortNodes(graph.node).map((proto) => {
      const unique = proto.name !== '' && names.get(proto.name) === 1;
      return nodeOf(proto, unique ? proto.name : `#${positions.get(proto) ?? 0}`);
    });
    for (const node of this.nodes) {
      for (const output of node.outputs) if (output !== '') this.producers.set(output, node);
      for (const name of node.captures) this.captured.add(name);
      for (const name of new Set([...node.inputs, ...node.captures])) {
        if (name === '') continue;
        const readers = this.readers.get(name);
        if (readers === undefined) this.readers.set(name, [node]);
        else readers.push(node);
      }
    }
    this.initializers = new LazyTensors(graph.initializer);
    this.allInitializers = new Set([
      ...graph.initializer.map(({ name }) => name),
      ...graph.sparseInitializer.map(({ values }) => values?.name ?? ''),
    ]);
    this.inputs = graph.input
      .filter(({ name }) => !this.allInitializers.has(name))
      .map(valueInfoOf);
    this.outputs = graph.output.map(valueInfoOf);
    this.outputNames = new Set(this.outputs.map(({ name }) => name));
    this.valueInfo = new Map(
      [...graph.valueInfo, ...graph.input, ...graph.output].map((proto) => [
        proto.name,
        valueInfoOf(proto),
      ]),
    );
  }

  /** The value of an initialiser or of a Constant node, where its type is decodable. */
  constant(name: string): Tensor | undefined {
    const initializer = this.initializers.get(name);
    if (initializer !== undefined || this.constants.has(name)) {
      return initializer ?? this.constants.get(name);
    }
    const producer = this.producers.get(name);
    const value =
      producer?.op === 'Constant' && producer.domain === '' ? constantValue(producer) : undefined;
    this.constants.set(name, value);
    return value;
  }

  producer(name: string): Node | undefined {
    return this.producers.get(name);
  }

  /** Nodes that read a value, also those whose subgraphs do; each once. */
  consumers(name: string): readonly Node[] {
    return this.readers.get(name) ?? [];
  }

  /** Whether the name is an initialiser, of whatever type. */
  isInitializer(name: string): boolean {
    return this.allInitializers.has(name);
  }

  isOutput(name: string): boolean {
    return this.outputNames.has(name);
  }

  usedInSubgraph(name: string): boolean {
    return this.captured.has(name);
  }
}

function constantValue(node: Node): Tensor | undefined {
  const proto = node.proto.attribute.find(({ name }) => name === 'value')?.t;
  if (proto !== undefined) {
    return isDecodable(dtypeOf(proto.dataType) ?? 'undefined')
      ? attrTensor(node, 'value')
      : undefined;
  }
  if (hasAttribute(node, 'value_float'))
    return floatTensor([], [attrFloat(node, 'value_float', 0)]);
  if (hasAttribute(node, 'value_int')) return int64Tensor([], [attrInt(node, 'value_int', 0)]);
  const floats = attrFloats(node, 'value_floats');
  if (floats !== undefined) return floatTensor([floats.length], floats);
  const ints = attrInts(node, 'value_ints');
  return ints === undefined ? undefined : int64Tensor([ints.length], ints);
}

/** Tensors by name, decoded when first read. */
class LazyTensors implements ReadonlyMap<string, Tensor> {
  private readonly protos: Map<string, TensorProto>;
  private readonly decoded = new Map<string, Tensor>();

  constructor(protos: readonly TensorProto[]) {
    this.protos = new Map(
      protos
        .filter(({ dataType }) => isDecodable(dtypeOf(dataType) ?? 'undefined'))
        .map((proto) => [proto.name, proto]),
    );
  }

  get size(): number {
    return this.protos.size;
  }

  get(name: string): Tensor | undefined {
    const known = this.decoded.get(name);
    if (known !== undefined) return known;
    const proto = this.protos.get(name);
    if (proto === undefined) return undefined;
    const tensor = decodeTensor(proto);
    this.decoded.set(name, tensor);
    return tensor;
  }

  has(name: string): boolean {
    return this.protos.has(name);
  }

  keys(): MapIterator<string> {
    return this.protos.keys();
  }

  *entries(): MapIterator<[string, Tensor]> {
    for (const name of this.protos.keys()) {
      const tensor = this.get(name);
      if (tensor !== undefined) yield [name, tensor];
    }
  }

  *values(): MapIterator<Tensor> {
    for (const [, tensor] of this.entries()) yield tensor;
  }

  [Symbol.iterator](): MapIterator<[string, Tensor]> {
    return this.entries();
  }

  forEach(visit: (value: Tensor, key: string, map: ReadonlyMap<string, Tensor>) => void): void {
    for (const [name, tensor] of this.entries()) visit(tensor, name, this);
  }
}
