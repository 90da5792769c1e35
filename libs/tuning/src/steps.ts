import type { CandidateCosts, CostNode } from './costs.js';

/**
 * Code paths of the runtime, each with costs of its own. `blocked` ones work on channels in blocks;
 * `plain` ones on whole planes, through im2col and a matrix product.
 */
export const CODE_PATHS = [
  'blocked-pointwise',
  'blocked-conv',
  'blocked-depthwise',
  'blocked-first',
  'plain-conv',
  'plain-grouped',
  'reorder',
  'gemm',
  'add',
  'elementwise',
  'pool',
  'copy',
  'view',
  'company',
  'int8-pointwise',
  'int8-conv',
  'int8-depthwise',
  'int8-gemm',
  'int8-add',
  'int8-pool',
  'int8-copy',
  'quantize',
  'int8-company',
] as const;
export type CodePath = (typeof CODE_PATHS)[number];

/** One operator as the runtime executes it: which code, on what. */
export interface Step {
  readonly path: CodePath;
  readonly node: CostNode;
  /** Position of the described operation that it belongs to. */
  readonly of: number;
}

/** How a value's bytes lie: planes, channel blocks, or channels last. */
type Layout = 'planes' | 'blocks' | 'last';

/** Channels must be a multiple of this to be reordered into blocks. */
const REORDER_ALIGNMENT = 4;

/**
 * The operators that ONNX Runtime is left with on a processor whose convolutions take channels in
 * blocks of `block` (1: it has no such layout): sums taken into convolutions, values reordered where
 * two neighbours want them differently, int8 convolutions with channels last.
 */
export function stepsOf(costs: Pick<CandidateCosts, 'nodes'>, block: number): Step[] {
  return new Layouter(costs.nodes, block).run();
}

class Layouter {
  private readonly steps: Step[] = [];
  private readonly layouts: Layout[] = [];
  private readonly present = new Set<string>();

  constructor(
    private readonly nodes: readonly CostNode[],
    private readonly block: number,
  ) {}

  run(): Step[] {
    const read = new Set<number>();
    this.nodes.forEach((node, at) => {
      for (const from of node.inputs) read.add(from);
      this.layouts.push(this.place(node, at));
    });
    this.nodes.forEach((_node, at) => {
      if (!read.has(at)) this.bring(at, 'planes');
    });
    return this.steps;
  }

  /** Emits the step of an operation, and what its inputs need; gives its output's layout. */
  private place(node: CostNode, at: number): Layout {
    switch (node.kind) {
      case 'conv':
        return node.int8 ? this.placeInt8Conv(node, at) : this.placeConv(node, at);
      case 'gemm':
        this.bringAll(node, 'planes');
        return this.emit(node.int8 ? 'int8-gemm' : 'gemm', node, at, 'planes');
      case 'add':
        return this.placeAdd(node, at);
      case 'elementwise':
      case 'transcendental':
        return this.placeElementwise(node, at);
      case 'pool':
        return this.placePool(node, at);
      case 'quantize':
      case 'dequantize':
        return this.emit('quantize', node, at, this.keep(node));
      case 'transpose':
        // Channels-last input turned to planes: undone for free where the reader wants it so.
        if (node.cout === node.iw && node.oh === node.cin && node.ow === node.ih) return 'last';
        this.bringAll(node, 'planes');
        return this.emit(node.int8 ? 'int8-copy' : 'copy', node, at, 'planes');
      case 'view':
        this.bringAll(node, 'planes');
        return this.emit('view', node, at, 'planes');
      case 'copy': {
        const layout = this.keep(node);
        return this.emit(node.int8 ? 'int8-copy' : 'copy', node, at, layout);
      }
      case 'softmax':
        this.bringAll(node, 'planes');
        return this.emit('elementwise', node, at, 'planes');
    }
  }

  private placeConv(node: CostNode, at: number): Layout {
    const { block } = this;
    const { cin, cout, group } = node;
    if (block > 1 && group === 1) {
      if (cin < block) {
        this.bringAll(node, 'planes');
        return this.emit('blocked-first', node, at, 'blocks');
      }
      if (cin % REORDER_ALIGNMENT === 0) {
        this.bringAll(node, 'blocks');
        const pointwise = node.kh * node.kw === 1;
        return this.emit(pointwise ? 'blocked-pointwise' : 'blocked-conv', node, at, 'blocks');
      }
    } else if (block > 1 && cin === group && cout === group && cout % REORDER_ALIGNMENT === 0) {
      this.bringAll(node, 'blocks');
      return this.emit('blocked-depthwise', node, at, 'blocks');
    } else if (block > 1 && (cin / group) % block === 0 && (cout / group) % block === 0) {
      this.bringAll(node, 'blocks');
      return this.emit('blocked-conv', node, at, 'blocks');
    }
    this.bringAll(node, 'planes');
    return this.emit(group === 1 ? 'plain-conv' : 'plain-grouped', node, at, 'planes');
  }

  private placeInt8Conv(node: CostNode, at: number): Layout {
    this.bringAll(node, 'last');
    const depthwise = node.group > 1 && node.cin === node.group && node.cout === node.group;
    const pointwise = node.kh * node.kw === 1 && node.stride === 1;
    const path = depthwise ? 'int8-depthwise' : pointwise ? 'int8-pointwise' : 'int8-conv';
    return this.emit(path, node, at, 'last');
  }

  private placeAdd(node: CostNode, at: number): Layout {
    if (node.int8) {
      return this.emit('int8-add', node, at, this.keep(node));
    }
    const layout = node.mergesInto === null ? undefined : this.layouts[node.mergesInto];
    const blocked = node.inputs.every((from) => this.layouts[from] === 'blocks');
    // With an activation behind, the sum is merged before layouts are chosen.
    if (layout && (blocked || layout === 'planes' || node.activation !== 'none')) {
      this.bringAll(node, layout);
      return layout;
    }
    return this.emit('add', node, at, this.keep(node));
  }

  private placeElementwise(node: CostNode, at: number): Layout {
    return this.emit('elementwise', node, at, this.keep(node));
  }

  private placePool(node: CostNode, at: number): Layout {
    const [from = -1] = node.inputs;
    const layout = this.layouts[from] ?? 'planes';
    if (node.int8) return this.emit('int8-pool', node, at, layout === 'last' ? layout : 'planes');
    if (layout === 'blocks') return this.emit('pool', node, at, 'blocks');
    this.bringAll(node, 'planes');
    return this.emit('pool', node, at, 'planes');
  }

  /** The common layout of the inputs; where they differ, they are brought to planes. */
  private keep(node: CostNode): Layout {
    const [first = 'planes', ...others] = node.inputs.map((from) => this.layouts[from] ?? 'planes');
    if (others.every((other) => other === first)) return first;
    const common = node.int8 ? 'last' : 'planes';
    this.bringAll(node, common);
    return common;
  }

  private bringAll(node: CostNode, wanted: Layout): void {
    for (const from of node.inputs) this.bring(from, wanted, node);
  }

  /** Makes a value available in a layout, once, at the cost of a reordering step. */
  private bring(from: number, wanted: Layout, reader?: CostNode): void {
    const layout = this.layouts[from] ?? 'planes';
    const key = `${from}:${wanted}`;
    if (layout === wanted || this.present.has(key)) return;
    this.present.add(key);
    const source = this.nodes[from];
    const [c, h, w] = source
      ? [source.cout, source.oh, source.ow]
      : [reader?.cin ?? 1, reader?.ih ?? 1, reader?.iw ?? 1];
    const moved = { cin: c, cout: c, ih: h, iw: w, oh: h, ow: w };
    const node: CostNode = {
      ...{
        name: source?.name ?? 'input',
        kind: 'transpose',
        int8: source?.int8 ?? reader?.int8 ?? false,
      },
      ...{ inputs: [from], ...moved, group: 1, kh: 1, kw: 1, stride: 1, pads: [0, 0, 0, 0] },
      ...{ activation: 'none', mergesInto: null },
    };
    if (layout === 'blocks' || wanted === 'blocks') {
      this.emit('reorder', node, from, wanted);
    } else {
      this.emit(node.int8 ? 'int8-copy' : 'copy', node, from, wanted);
    }
  }

  private emit(path: CodePath, node: CostNode, of: number, layout: Layout): Layout {
    this.steps.push({ path, node, of });
    return layout;
  }
}
