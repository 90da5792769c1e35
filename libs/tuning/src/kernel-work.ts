import { KERNELS, type Kernel, NETWORK_LAYERS } from '@espalier/protocol';
import { companyOf } from './company.js';
import type { CostNode } from './costs.js';
import { type Features, featuresOf, plainFeatures } from './features.js';
import { CODE_PATHS, type CodePath, type Step, stepsOf } from './steps.js';

/** Where a kernel or step stands among others of its path: logarithms of its dimensions. */
export type Position = readonly number[];

/** What one step of a kernel's chain runs, the mean over a period of two. */
export interface KernelWork {
  readonly kernel: Kernel;
  readonly precision: 'fp32' | 'int8';
  /** The path that this kernel is the evidence for; what else it runs is known before. */
  readonly path: CodePath;
  readonly features: ReadonlyMap<CodePath, Features>;
  /** Steps of other paths, each with its share of a period. */
  readonly otherSteps: readonly { readonly step: Step; readonly share: number }[];
  readonly plain: Features;
  readonly positions: readonly Position[];
}

/**
 * The order in which the costs of paths are found: a kernel speaks for the last of its paths, and
 * what the others cost is subtracted.
 */
export const FIT_ORDER: readonly CodePath[] = [
  ...([
    'elementwise',
    'view',
    'add',
    'copy',
    'pool',
    'gemm',
    'plain-conv',
    'plain-grouped',
  ] as const),
  ...([
    'blocked-pointwise',
    'blocked-conv',
    'blocked-depthwise',
    'reorder',
    'blocked-first',
  ] as const),
  ...(['quantize', 'int8-copy', 'int8-add', 'int8-pool', 'int8-gemm'] as const),
  ...(['int8-pointwise', 'int8-conv', 'int8-depthwise'] as const),
];

const PERIOD = 2;

/** The work of every kernel of the committed list for a channel block. */
export function kernelWork(block: number): readonly KernelWork[] {
  const known = TABLES.get(block);
  if (known) return known;
  const table = KERNELS.flatMap((kernel) =>
    kernel.precisions.map((precision) => workOf(kernel, precision, block)),
  );
  TABLES.set(block, table);
  return table;
}

const TABLES = new Map<number, readonly KernelWork[]>();

/** Kernels of each path, in the order of the committed list. */
export function kernelsOfPath(block: number): ReadonlyMap<CodePath, readonly KernelWork[]> {
  const known = BY_PATH.get(block);
  if (known) return known;
  const table = kernelWork(block);
  const byPath = new Map(
    CODE_PATHS.map((path) => [
      path,
      table.filter((work) => work.path === path && isEvidence(work)),
    ]),
  );
  BY_PATH.set(block, byPath);
  return byPath;
}

/** Whether a kernel's time is that of one kind of operator. */
export function isEvidence({ kernel }: Pick<KernelWork, 'kernel'>): boolean {
  return kernel.weights === 'near' && kernel.op !== 'network';
}

const BY_PATH = new Map<number, ReadonlyMap<CodePath, readonly KernelWork[]>>();

/** Logarithms of channels in and out, pixels and taps: equal ratios are equal distances. */
export function positionOf(node: CostNode): Position {
  return [
    Math.log2(Math.max(1, node.cin)),
    Math.log2(Math.max(1, node.cout)),
    Math.log2(Math.max(1, node.oh * node.ow)),
    Math.log2(Math.max(1, node.kh * node.kw)),
  ];
}

function workOf(kernel: Kernel, precision: 'fp32' | 'int8', block: number): KernelWork {
  if (kernel.op === 'network') {
    return {
      ...{ kernel, precision, path: CODE_PATHS[0], features: new Map(), otherSteps: [] },
      ...{ plain: [0, 0, 0], positions: [] },
    };
  }
  const short = stepsOf({ nodes: chainNodes(kernel, precision, PERIOD) }, block);
  const long = stepsOf({ nodes: chainNodes(kernel, precision, 2 * PERIOD) }, block);
  const features = new Map<CodePath, number[]>();
  const plain = [0, 0, 0];
  const addUp = (steps: readonly Step[], sign: number) => {
    for (const step of steps) {
      const own = featuresOf(step, block);
      const sum = features.get(step.path) ?? own.map(() => 0);
      own.forEach((value, i) => (sum[i] = (sum[i] ?? 0) + (sign * value) / PERIOD));
      features.set(step.path, sum);
      plainFeatures(step.node).forEach((value, i) => {
        plain[i] = (plain[i] ?? 0) + (sign * value) / PERIOD;
      });
    }
  };
  addUp(long, 1);
  addUp(short, -1);
  for (const [path, sum] of features) if (sum.every((value) => value === 0)) features.delete(path);
  const { path: companyPath, features: company } = companyOf(short, precision === 'int8');
  const [convolutions] = company;
  if (kernel.op === 'block') features.set(companyPath, [convolutions / PERIOD, 0, 0, 0]);
  const last = FIT_ORDER.filter((one) => features.has(one)).at(-1) ?? CODE_PATHS[0];
  const path = kernel.op === 'block' ? companyPath : last;
  const positions = long.filter((step) => step.path === path).map((step) => positionOf(step.node));
  const others = (steps: readonly Step[], share: number) =>
    steps.filter((step) => step.path !== path).map((step) => ({ step, share }));
  const otherSteps = [...others(long, 1 / PERIOD), ...others(short, -1 / PERIOD)];
  return { kernel, precision, path, features, otherSteps, plain, positions };
}

/** What the network runs: the steps of its chain, and those of the ends that are set against it. */
export function networkSteps(
  kernel: Kernel,
  precision: 'fp32' | 'int8',
  block: number,
): { readonly whole: readonly Step[]; readonly ends: readonly Step[] } {
  const run = (steps: number) => {
    const nodes = chainNodes(kernel, precision, steps);
    const { cout, oh, ow } = nodes.at(-1) ?? {
      cout: kernel.cin,
      oh: kernel.size,
      ow: kernel.width,
    };
    nodes.push({
      ...{ name: '', kind: 'pool', int8: precision === 'int8', inputs: [nodes.length - 1] },
      ...{ cin: cout, cout, ih: oh, iw: ow, oh: 1, ow: 1, kh: oh, kw: ow, group: 1, stride: 1 },
      ...{ pads: [0, 0, 0, 0], activation: 'none', mergesInto: null },
    });
    return stepsOf({ nodes }, block);
  };
  return { whole: run(1), ends: run(0) };
}

/** What a kernel that is one layer runs beyond the ends of its chain. */
export function layerSteps(kernel: Kernel, block: number): readonly Step[] {
  return stepsOf({ nodes: chainNodes(kernel, 'fp32', 1) }, block).filter(
    ({ path }) => path !== 'reorder',
  );
}

/** The operations of a kernel's chain, as {@link Kernel} defines it. */
function chainNodes(kernel: Kernel, precision: 'fp32' | 'int8', steps: number): CostNode[] {
  const int8 = precision === 'int8';
  const { op, size, width } = kernel;
  const nodes: CostNode[] = [];
  const push = (
    kind: CostNode['kind'],
    cin: number,
    cout: number,
    more: Partial<CostNode> = {},
  ) => {
    nodes.push({
      ...{ name: '', kind, int8, inputs: [nodes.length - 1], cin, cout, ih: size, iw: width },
      ...{ oh: size, ow: width, group: 1, kh: 1, kw: 1, stride: 1, pads: [0, 0, 0, 0] },
      ...{ activation: 'none', mergesInto: null },
      ...more,
    });
  };
  if (int8 && op !== 'quantize') push('quantize', kernel.cin, kernel.cin);
  const pad = kernel.kernel >> 1;
  const window: Partial<CostNode> = {
    ...{ kh: kernel.kernel, kw: kernel.kernel, pads: [pad, pad, pad, pad] },
  };
  for (let step = 0; step < steps; step++) {
    const [cin, cout] = step % 2 === 1 ? [kernel.cout, kernel.cin] : [kernel.cin, kernel.cout];
    switch (op) {
      case 'conv':
        push('conv', cin, cout, {
          ...window,
          group: kernel.group,
          activation: kernel.activation === 'clip' ? 'other' : 'relu',
        });
        break;
      case 'block': {
        const start = nodes.length - 1;
        const relu = { activation: 'relu' } as const;
        const filter: Partial<CostNode> = { kh: 3, kw: 3, pads: [1, 1, 1, 1], group: kernel.cout };
        push('conv', kernel.cin, kernel.cout, relu);
        push('conv', kernel.cout, kernel.cout, { ...filter, ...relu });
        push('conv', kernel.cout, kernel.cin);
        const last = nodes.length - 1;
        const sum = { inputs: [last, start], mergesInto: int8 ? null : last };
        push('add', kernel.cin, kernel.cin, sum);
        break;
      }
      case 'network': {
        let [height, row] = [size, width];
        const first = nodes.length - 1;
        NETWORK_LAYERS.forEach((layer, index) => {
          const edge = layer.kernel >> 1;
          const [oh, ow] = [Math.ceil(height / layer.stride), Math.ceil(row / layer.stride)];
          push('conv', layer.cin, layer.cout, {
            ...{ kh: layer.kernel, kw: layer.kernel, pads: [edge, edge, edge, edge] },
            ...{ ih: height, iw: row, oh, ow, group: layer.group, stride: layer.stride },
            activation: layer.adds === null ? 'relu' : 'none',
          });
          [height, row] = [oh, ow];
          if (layer.adds === null) return;
          const last = nodes.length - 1;
          push('add', layer.cout, layer.cout, {
            ...{ inputs: [last, first + 1 + index - layer.adds], ih: oh, iw: ow, oh, ow },
            mergesInto: int8 ? null : last,
          });
        });
        break;
      }
      case 'gemm':
        push('gemm', cin, cout);
        break;
      case 'add':
        push('add', cin, cin, { inputs: [nodes.length - 1, Math.max(-1, nodes.length - 2)] });
        break;
      case 'pool':
        push('pool', cin, cin, window);
        break;
      case 'negate':
        push('elementwise', cin, cin, { int8: false });
        break;
      case 'quantize':
        push('elementwise', cin, cin, { int8: false });
        push('quantize', cin, cin);
        push('dequantize', cin, cin);
        break;
      case 'transpose':
        push('transpose', cin, size, { oh: width, ow: cin });
        push('view', cin, cin);
        break;
    }
  }
  return nodes;
}
