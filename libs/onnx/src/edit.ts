import { create } from '@bufbuild/protobuf';
import {
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  type AttributeProto,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from 'onnx-buf';
import { encodeAttribute, type Attributes, type AttributeValue } from './attribute.js';
import { type DType } from './dtype.js';
import { OnnxError } from './errors.js';
import { graphOf } from './graph.js';
import { shallowCopy } from './message-copy.js';
import { allNames, modelOf, type Model } from './model.js';
import { capturedNames, nodeOf, subgraphsOf, type Node } from './node.js';
import { renameCaptured } from './rename-captured.js';
import { encodeTensor, type Tensor } from './tensor.js';
import { sortNodes } from './topology.js';
import { encodeValueInfo, type Dim } from './value-info.js';
import { refreshDeclaredShapes } from './declared-shapes.js';

/** A node to add; an empty name among inputs leaves an optional input out. */
export interface NewNode {
  readonly op: string;
  readonly domain?: string;
  readonly name?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Attributes;
}

/** Begin to edit a model; the model itself is never changed. */
export function edit(model: Model): GraphEditor {
  return new GraphEditor(model);
}

/** Collects changes to a model; `done` gives the changed model. */
export class GraphEditor {
  private readonly protos = new Map<Node, NodeProto>();
  /** Those removed are left in it until it is next read: a file may hold very many. */
  private placed: Node[];
  private readonly initializers: Map<string, TensorProto>;
  private inputs: Map<string, ValueInfoProto>;
  private outputs: ValueInfoProto[];
  private valueInfo: ValueInfoProto[];
  private readonly names: Set<string>;
  private readonly domains = new Set<string>();

  constructor(private readonly source: Model) {
    const { graph } = source;
    this.placed = [...graphOf(source).nodes];
    for (const node of this.placed) this.protos.set(node, node.proto);
    this.initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
    this.inputs = byName(graph.input);
    this.outputs = [...graph.output];
    this.valueInfo = [...graph.valueInfo];
    this.names = allNames(graph);
    for (const { name } of graph.node) this.names.add(name);
  }

  /** Nodes as they now stand, those added included. */
  get nodes(): readonly NodeProto[] {
    return this.order.map((node) => this.protoOf(node));
  }

  /** Add or replace an initialiser; the data are copied. A graph input of the same name goes. */
  setInitializer(name: string, tensor: Tensor): this {
    this.names.add(name);
    this.initializers.set(name, encodeTensor(name, tensor));
    this.inputs.delete(name);
    return this;
  }

  removeInitializer(name: string): this {
    this.initializers.delete(name);
    this.inputs.delete(name);
    return this;
  }

  /** @throws OnnxError ONNX_EDIT when the node is not in the graph. */
  removeNode(node: Node): this {
    this.protoOf(node);
    this.protos.delete(node);
    return this;
  }

  /** Add a node; `done` sorts, so a position only settles ties. */
  addNode(spec: NewNode, position: { before?: Node; after?: Node } = {}): Node {
    const domain = spec.domain ?? '';
    if (domain !== '') this.domains.add(domain);
    for (const name of spec.outputs) this.names.add(name);
    const name = spec.name ?? this.freshName(spec.outputs[0] ?? spec.op);
    this.names.add(name);
    const proto = create(NodeProtoSchema, {
      name,
      opType: spec.op,
      domain,
      input: [...spec.inputs],
      output: [...spec.outputs],
      attribute: Object.entries(spec.attributes ?? {}).map(([key, value]) =>
        encodeAttribute(key, value),
      ),
    });
    const node = nodeOf(proto, name);
    const anchor = position.before ?? position.after;
    const at = anchor === undefined ? -1 : this.order.indexOf(anchor);
    const index = at < 0 ? this.order.length : position.before === undefined ? at + 1 : at;
    this.order.splice(index, 0, node);
    this.protos.set(node, proto);
    return node;
  }

  /** Set an attribute, or remove it with `undefined`. */
  setAttribute(node: Node, name: string, value: AttributeValue | undefined): this {
    const proto = this.writable(node);
    const added: AttributeProto[] = value === undefined ? [] : [encodeAttribute(name, value)];
    const at = proto.attribute.findIndex((attribute) => attribute.name === name);
    const rest = proto.attribute.filter((attribute) => attribute.name !== name);
    proto.attribute = rest.toSpliced(at < 0 ? rest.length : at, 0, ...added);
    return this;
  }

  /** Read another value at one input; an index past the end adds optional inputs in between. */
  replaceInput(node: Node, index: number, name: string): this {
    const proto = this.writable(node);
    const inputs = [...proto.input];
    while (inputs.length <= index) inputs.push('');
    inputs[index] = name;
    while (inputs.at(-1) === '') inputs.pop();
    proto.input = inputs;
    return this;
  }

  replaceOutput(node: Node, index: number, name: string): this {
    const proto = this.writable(node);
    proto.output = proto.output.map((output, at) => (at === index ? name : output));
    this.names.add(name);
    return this;
  }

  /**
   * Let every reader of a value, those in subgraphs included, read another one; with `outputs` the
   * graph's outputs too (their public names then change). A node in `except` keeps reading the old
   * value: the one that makes the new value from it, say.
   */
  renameUses(
    from: string,
    to: string,
    options: { outputs?: boolean; except?: readonly Node[] } = {},
  ): this {
    for (const node of this.order) {
      if (options.except?.includes(node)) continue;
      const proto = this.protoOf(node);
      if (proto.input.includes(from)) {
        this.writable(node).input = proto.input.map((input) => (input === from ? to : input));
      }
      if (subgraphsOf(proto).some((graph) => capturedNames(graph).includes(from))) {
        const writable = this.writable(node);
        writable.attribute = proto.attribute.map((attribute) =>
          renameCaptured(attribute, from, to),
        );
      }
    }
    if (options.outputs) {
      this.outputs = this.outputs.map((output) =>
        output.name === from ? shallowCopy(output, { name: to }) : output,
      );
    }
    return this;
  }

  /** Make a value a graph output too; nothing changes when it is one. */
  addOutput(name: string, dtype: DType, shape?: readonly Dim[]): this {
    if (!this.outputs.some((output) => output.name === name)) {
      this.outputs.push(encodeValueInfo(name, dtype, shape));
    }
    return this;
  }

  /** Make these values the graph's outputs, declared as they were where they were declared. */
  setOutputs(names: readonly string[]): this {
    const declared = new Map(
      [...this.valueInfo, ...this.inputs.values(), ...this.outputs].map((info) => [
        info.name,
        info,
      ]),
    );
    this.outputs = names.map((name) => declared.get(name) ?? encodeValueInfo(name, 'float32'));
    return this;
  }

  /** Replace the declaration of a graph input. */
  setInput(name: string, dtype: DType, shape: readonly Dim[]): this {
    if (this.inputs.has(name)) this.inputs.set(name, encodeValueInfo(name, dtype, shape));
    return this;
  }

  /**
   * Make these values the graph's inputs, of unknown shape where they were not declared. Remove the
   * nodes that made them first.
   */
  setInputs(values: readonly { readonly name: string; readonly dtype: DType }[]): this {
    this.inputs = byName(
      values.map(({ name, dtype }) => this.inputs.get(name) ?? encodeValueInfo(name, dtype)),
    );
    return this;
  }

  /** A name that nothing in the model has, made from the hint; taken from then on. */
  freshName(hint: string): string {
    let name = hint;
    for (let count = 1; this.names.has(name); count++) name = `${hint}_${count}`;
    this.names.add(name);
    return name;
  }

  /** Drop nodes that no output needs, and initialisers that nothing reads. */
  removeUnused(): this {
    const needed = new Set(this.outputs.map(({ name }) => name));
    const live = new Set<Node>();
    const producers = new Map<string, Node>();
    for (const node of this.order) {
      for (const output of this.protoOf(node).output) producers.set(output, node);
    }
    const queue = [...needed];
    for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
      const node = producers.get(name);
      if (node === undefined || live.has(node)) continue;
      live.add(node);
      for (const read of readsOf(this.protoOf(node))) {
        if (!needed.has(read)) queue.push(read);
        needed.add(read);
      }
    }
    for (const node of this.order) if (!live.has(node)) this.protos.delete(node);
    for (const name of [...this.initializers.keys()]) {
      if (!needed.has(name)) this.removeInitializer(name);
    }
    return this;
  }

  /** Drop every declared type of values in between. */
  clearValueInfo(): this {
    this.valueInfo = [];
    return this;
  }

  /**
   * The edited model, its nodes sorted, its declared shapes made to agree with the new graph.
   * @throws OnnxError ONNX_INVALID_GRAPH when the edits left the graph unsound.
   */
  done(): Model {
    const { proto: source, graph: sourceGraph } = this.source;
    const node = sortNodes(this.order.map((item) => this.protoOf(item)));
    const known = new Set(node.flatMap((item) => item.output));
    const graph: GraphProto = shallowCopy(sourceGraph, {
      node,
      initializer: [...this.initializers.values()],
      input: [...this.inputs.values()],
      output: this.outputs,
      valueInfo: this.valueInfo.filter(({ name }) => known.has(name)),
    });
    const imported = new Set(source.opsetImport.map(({ domain }) => domain));
    const proto = shallowCopy(source, {
      graph,
      // Before version 4 of the format every initialiser had to be an input as well.
      irVersion: source.irVersion < 4n ? 4n : source.irVersion,
      opsetImport: [
        ...source.opsetImport,
        ...[...this.domains]
          .filter((domain) => !imported.has(domain))
          .map((domain) => create(OperatorSetIdProtoSchema, { domain, version: 1n })),
      ],
    });
    return refreshDeclaredShapes(modelOf(proto));
  }

  private get order(): Node[] {
    if (this.placed.length > this.protos.size) {
      this.placed = this.placed.filter((node) => this.protos.has(node));
    }
    return this.placed;
  }

  private protoOf(node: Node): NodeProto {
    const proto = this.protos.get(node);
    if (proto === undefined) {
      throw new OnnxError(
        'ONNX_EDIT',
        `The ${node.op} node "${node.key}" is not part of the graph under edit. Take nodes from the graph of the edited model.`,
      );
    }
    return proto;
  }

  private writable(node: Node): NodeProto {
    const proto = this.protoOf(node);
    if (proto !== node.proto) return proto;
    const copy = shallowCopy(proto);
    this.protos.set(node, copy);
    return copy;
  }
}

const byName = (infos: readonly ValueInfoProto[]): Map<string, ValueInfoProto> =>
  new Map(infos.map((info) => [info.name, info]));

function readsOf(proto: NodeProto): string[] {
  return [...proto.input, ...subgraphsOf(proto).flatMap(capturedNames)].filter((n) => n !== '');
}
