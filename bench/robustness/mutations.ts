import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { type Random } from '@espalier/dataset';
import {
  type GraphProto,
  ModelProtoSchema,
  type NodeProto,
  StringStringEntryProtoSchema,
  type TensorProto,
} from 'onnx-buf';

/** A way to spoil a file. */
export interface Mutation {
  readonly name: string;
  apply(bytes: Uint8Array, random: Random): Uint8Array;
}

/** Mutations that know nothing of the format. */
export const BYTE_MUTATIONS: readonly Mutation[] = [
  {
    name: 'truncated',
    apply: (bytes, random) => bytes.slice(0, random.integer(bytes.length)),
  },
  {
    name: 'bits flipped',
    apply: (bytes, random) => {
      const out = bytes.slice();
      for (let i = 1 + random.integer(24); i > 0; i--) {
        const at = random.integer(out.length);
        out[at] = (out[at] ?? 0) ^ (1 << random.integer(8));
      }
      return out;
    },
  },
  {
    name: 'head or tail overwritten',
    apply: (bytes, random) => {
      const out = bytes.slice();
      for (let i = 1 + random.integer(8); i > 0; i--) {
        const near = random.integer(Math.min(4096, out.length));
        out[random.next() < 0.5 ? near : out.length - 1 - near] = random.integer(256);
      }
      return out;
    },
  },
  {
    name: 'span of noise',
    apply: (bytes, random) => {
      const [from, to] = span(bytes, random);
      return bytes.slice().map((byte, at) => (at >= from && at < to ? random.integer(256) : byte));
    },
  },
  {
    name: 'span deleted',
    apply: (bytes, random) => {
      const [from, to] = span(bytes, random);
      return joined(bytes.subarray(0, from), bytes.subarray(to));
    },
  },
  {
    name: 'span doubled',
    apply: (bytes, random) => {
      const [from, to] = span(bytes, random);
      return joined(bytes.subarray(0, to), bytes.subarray(from));
    },
  },
];

function span(bytes: Uint8Array, random: Random): [from: number, to: number] {
  const from = random.integer(bytes.length);
  return [from, Math.min(bytes.length, from + 1 + random.integer(64))];
}

function joined(head: Uint8Array, tail: Uint8Array): Uint8Array {
  const out = new Uint8Array(head.length + tail.length);
  out.set(head);
  out.set(tail, head.length);
  return out;
}

/** A mutation of the graph: the file stays protobuf, and means something else. */
const graphMutation = (
  name: string,
  change: (graph: GraphProto, random: Random) => void,
): Mutation => ({
  name,
  apply: (bytes, random) => {
    const proto = fromBinary(ModelProtoSchema, bytes);
    if (proto.graph) change(proto.graph, random);
    return toBinary(ModelProtoSchema, proto);
  },
});

const pick = <T>(items: readonly T[], random: Random): T | undefined =>
  items[random.integer(items.length)];

const weights = (graph: GraphProto): TensorProto[] =>
  graph.initializer.filter(({ dataType, rawData }) => dataType === 1 && rawData.length > 4);

function spoilWeight(graph: GraphProto, random: Random, value: number): void {
  const weight = pick(weights(graph), random);
  if (!weight) return;
  const raw = weight.rawData.slice();
  const at = 4 * random.integer(raw.length / 4);
  new DataView(raw.buffer).setFloat32(at, value, true);
  weight.rawData = raw;
}

function setInputDim(graph: GraphProto, random: Random, value: bigint): void {
  const type = graph.input[0]?.type?.value;
  const dims = type?.case === 'tensorType' ? (type.value.shape?.dim ?? []) : [];
  const dim = pick(dims, random);
  if (dim) dim.value = { case: 'dimValue', value };
}

/** A node with an attribute of whole numbers, and that attribute. */
function wholeAttribute(
  graph: GraphProto,
  random: Random,
): NodeProto['attribute'][number] | undefined {
  const all = graph.node.flatMap(({ attribute }) =>
    attribute.filter(({ type, ints }) => type === 2 || (type === 7 && ints.length > 0)),
  );
  return pick(all, random);
}

function setWhole(graph: GraphProto, random: Random, value: bigint): void {
  const attribute = wholeAttribute(graph, random);
  if (!attribute) return;
  if (attribute.type === 2) attribute.i = value;
  else attribute.ints = attribute.ints.map((old, i) => (i === 0 ? value : old));
}

/** Mutations that leave a file that can be parsed. */
export const GRAPH_MUTATIONS: readonly Mutation[] = [
  graphMutation('a weight that is not a number', (g, random) => spoilWeight(g, random, NaN)),
  graphMutation('an infinite weight', (g, random) => spoilWeight(g, random, Infinity)),
  graphMutation('a dimension of zero', (g, random) => {
    const weight = pick(weights(g), random);
    if (!weight) return;
    weight.dims = weight.dims.map((dim, axis) => (axis === 0 ? 0n : dim));
    weight.rawData = new Uint8Array(0);
  }),
  graphMutation('an input dimension of zero', (g, random) => setInputDim(g, random, 0n)),
  graphMutation('a huge input dimension', (g, random) => setInputDim(g, random, 2n ** 31n)),
  graphMutation('an input dimension beyond all memory', (g, random) =>
    setInputDim(g, random, 2n ** 53n),
  ),
  graphMutation('another input dimension', (g, random) =>
    setInputDim(g, random, BigInt(1 + random.integer(4000))),
  ),
  graphMutation('a weight of another shape', (g, random) => {
    const weight = pick(weights(g), random);
    if (weight) weight.dims = [...weight.dims].reverse();
  }),
  graphMutation('a weight flattened', (g, random) => {
    const weight = pick(weights(g), random);
    if (weight) weight.dims = [weight.dims.reduce((product, dim) => product * dim, 1n)];
  }),
  graphMutation('a weight of another type', (g, random) => {
    const weight = pick(weights(g), random);
    if (weight) weight.dataType = 6;
  }),
  graphMutation('a name defined twice', (g, random) => {
    const [one, other] = [pick(g.node, random), pick(g.node, random)];
    if (one && other) one.output = [...other.output];
  }),
  graphMutation('a cycle', (g, random) => {
    const at = random.integer(g.node.length - 1);
    const [first, later] = [g.node[at], g.node[at + 1 + random.integer(g.node.length - at - 1)]];
    if (first && later) first.input = [later.output[0] ?? '', ...first.input.slice(1)];
  }),
  graphMutation('data in another file', (g, random) => {
    const weight = pick(g.initializer, random);
    if (!weight) return;
    weight.dataLocation = 1;
    weight.rawData = new Uint8Array(0);
    weight.externalData = [
      create(StringStringEntryProtoSchema, { key: 'location', value: '../../etc/passwd' }),
    ];
  }),
  graphMutation('a node less', (g, random) => {
    g.node.splice(random.integer(g.node.length), 1);
  }),
  graphMutation('a node bridged', (g, random) => {
    const at = random.integer(g.node.length);
    const [node] = g.node.splice(at, 1);
    for (const other of g.node) {
      other.input = other.input.map((name) =>
        node?.output.includes(name) ? (node.input[0] ?? name) : name,
      );
    }
  }),
  graphMutation('an attribute less', (g, random) => {
    const node = pick(
      g.node.filter(({ attribute }) => attribute.length > 0),
      random,
    );
    node?.attribute.splice(random.integer(node.attribute.length), 1);
  }),
  graphMutation('an attribute of zero', (g, random) => setWhole(g, random, 0n)),
  graphMutation('an attribute below zero', (g, random) => setWhole(g, random, -3n)),
  graphMutation('a huge attribute', (g, random) => setWhole(g, random, 2n ** 40n)),
  graphMutation('another attribute', (g, random) =>
    setWhole(g, random, BigInt(1 + random.integer(9))),
  ),
  graphMutation('another operator', (g, random) => {
    const [node, other] = [pick(g.node, random), pick(g.node, random)];
    if (node && other) node.opType = other.opType;
  }),
  graphMutation('an operator that is not known', (g, random) => {
    const node = pick(g.node, random);
    if (node) node.opType = 'Frobnicate';
  }),
  graphMutation('inputs swapped', (g, random) => {
    const node = pick(
      g.node.filter(({ input }) => input.length > 1),
      random,
    );
    node?.input.reverse();
  }),
  graphMutation('an input less', (g, random) => {
    const node = pick(
      g.node.filter(({ input }) => input.length > 1),
      random,
    );
    node?.input.pop();
  }),
  graphMutation('another source', (g, random) => {
    const [node, other] = [pick(g.node, random), pick(g.node, random)];
    if (node && other) node.input = [other.output[0] ?? '', ...node.input.slice(1)];
  }),
  graphMutation('no outputs', (g) => {
    g.output = [];
  }),
  graphMutation('an output of another shape', (g) => {
    const type = g.output[0]?.type?.value;
    const dims = type?.case === 'tensorType' ? (type.value.shape?.dim ?? []) : [];
    for (const dim of dims) dim.value = { case: 'dimValue', value: 7n };
  }),
];
