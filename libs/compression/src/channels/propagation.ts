import type { Graph, Node, ShapeMap } from '@espalier/onnx';
import type { AxisIds, LinearLayer, ParameterSite, Rewrite } from './labels.js';
import { UnionFind } from './union-find.js';

/** Where an id was born: a position of a producer's output. */
export interface Origin {
  readonly tensor: string;
  readonly axis: number;
  readonly position: number;
}

/**
 * What the rules read and write while they walk the graph once, in topological order. A tensor
 * carries ids on at most one axis; a rule either carries them on, ties them, or locks them.
 */
export class Propagation {
  readonly sets = new UnionFind();
  readonly origins: Origin[] = [];
  readonly labels = new Map<string, AxisIds>();
  readonly rewrites: Rewrite[] = [];
  readonly layers: LinearLayer[] = [];
  private readonly sitesByKey = new Map<string, ParameterSite>();
  private readonly siteUses = new Set<string>();

  constructor(
    readonly graph: Graph,
    private readonly shapes: ShapeMap,
  ) {}

  /** Constants to slice, each with the ids of one axis. */
  get sites(): ParameterSite[] {
    return [...this.sitesByKey.values()];
  }

  /** Dimensions of a tensor, where they are known. */
  dims(tensor: string): readonly number[] | undefined {
    return this.shapes.get(tensor)?.dims ?? this.graph.constant(tensor)?.dims ?? undefined;
  }

  /** Ids for the channels that a layer produces. */
  fresh(tensor: string, axis: number, count: number): AxisIds {
    const ids = new Int32Array(count);
    for (let position = 0; position < count; position++) {
      ids[position] = this.sets.create();
      this.origins.push({ tensor, axis, position });
    }
    const labels = { axis, ids };
    this.labels.set(tensor, labels);
    return labels;
  }

  /** Gives a tensor its ids. */
  carry(tensor: string, labels: AxisIds): void {
    this.labels.set(tensor, labels);
  }

  /** Joins two vectors of ids, position by position. */
  tie(a: Int32Array, b: Int32Array): void {
    for (let p = 0; p < a.length; p++) {
      const [x, y] = [a[p], b[p]];
      if (x !== undefined && y !== undefined) this.sets.union(x, y);
    }
  }

  /** Keeps all channels of these ids. */
  lockIds(ids: Int32Array, reason: string): void {
    for (const id of ids) this.sets.lock(id, reason);
  }

  /** Keeps all channels of a tensor. */
  lock(tensor: string | undefined, reason: string): void {
    const labels = tensor === undefined ? undefined : this.labels.get(tensor);
    if (labels) this.lockIds(labels.ids, reason);
  }

  /** Keeps all channels of every input of a node. */
  lockInputs(node: Node, reason: string): void {
    for (const input of node.inputs) this.lock(input, reason);
  }

  /** A constant input of `node` is sliced along `axis` with these ids. */
  slice(node: Node, input: number, axis: number, ids: Int32Array): void {
    const tensor = node.inputs[input];
    if (tensor === undefined || tensor === '') return;
    if (this.graph.constant(tensor)?.dims[axis] !== ids.length) {
      this.lockIds(ids, `${describe(node)} reads "${tensor}", which is computed or does not fit`);
      return;
    }
    this.siteUses.add(useKey(node, input));
    const key = `${axis}:${tensor}`;
    const known = this.sitesByKey.get(key);
    if (known) this.tie(known.ids, ids);
    else this.sitesByKey.set(key, { tensor, axis, ids });
  }

  /** A constant that one node slices and another reads whole cannot be cut. */
  lockSharedParameters(): void {
    for (const site of this.sites) {
      for (const node of this.graph.consumers(site.tensor)) {
        node.inputs.forEach((name, input) => {
          if (name === site.tensor && !this.siteUses.has(useKey(node, input))) {
            this.lockIds(site.ids, `weights "${site.tensor}" are shared with ${describe(node)}`);
          }
        });
      }
    }
  }
}

const useKey = (node: Node, input: number): string => `${input}:${node.outputs[0] ?? node.name}`;

/** How a node is named to a person. */
export function describe(node: Node): string {
  return `${node.op} "${node.name || node.outputs[0] || ''}"`;
}
