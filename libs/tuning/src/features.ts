import type { CostNode } from './costs.js';
import type { CodePath, Step } from './steps.js';

/**
 * Amounts of work of one operator whose sum, each times a cost of the device, is its time. The first
 * is always 1: what any call of the operator costs.
 */
export type Features = readonly number[];

/** Blocks of output channels that one inner kernel works on together. */
const FILTER_SET = 4;

const up = (value: number, multiple: number) => Math.ceil(value / multiple) * multiple;

/** The features of a step where convolutions take channels in blocks of `block`. */
export function featuresOf({ path, node }: Pick<Step, 'path' | 'node'>, block: number): Features {
  return RULES[path](node, Math.max(block, 8));
}

const FLOAT_BYTES = 4;
const PAGE_BYTES = 4096;

/** About what the first level of a data cache holds beside weights. */
const NEAR_BYTES = 40 * 1024;

/** Bytes of input and output beyond what stays in the nearest cache from one operator to the next. */
function spilled(node: CostNode): number {
  const elements = node.cin * node.ih * node.iw + node.cout * node.oh * node.ow;
  return Math.max(0, elements * (node.int8 ? 1 : 4) - NEAR_BYTES);
}

/** Elements that an activation of its own passes over. */
function passed(node: CostNode, channels: number): number {
  return node.activation === 'other' ? channels * node.oh * node.ow : 0;
}

/** Rough amounts that any code path has: calls, multiply-accumulates or elements, bytes moved. */
export function plainFeatures(node: CostNode): Features {
  const size = node.int8 ? 1 : 4;
  const moved = node.cin * node.ih * node.iw + node.cout * node.oh * node.ow;
  const weighted = node.kind === 'conv' || node.kind === 'gemm';
  const weights = weighted ? (node.cin / node.group) * node.cout * node.kh * node.kw : 0;
  const work = weighted
    ? weights * node.oh * node.ow
    : moved * (node.kind === 'pool' ? node.kh : 1);
  return [1, work, (moved + weights) * size];
}

/** The sum of features, each times its cost. */
export function weigh(features: ArrayLike<number>, costs: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < features.length; i++) sum += (features[i] ?? 0) * (costs[i] ?? 0);
  return sum;
}

type Rule = (node: CostNode, block: number) => Features;

/**
 * Windows of a convolution by rows and columns. Output columns whose window touches the padding are
 * computed one at a time, the others `together` at a time; rows of the window that lie in the
 * padding are left out.
 */
function windows(node: CostNode, together: number) {
  const { oh, ow, ih, iw, kh, kw, stride } = node;
  const [top, left] = node.pads;
  const inside = (out: number, size: number, k: number, pad: number) => {
    let whole = 0;
    for (let at = 0; at < out; at++) {
      const start = at * stride - pad;
      if (start >= 0 && start + k <= size) whole++;
    }
    return whole;
  };
  let rowTaps = 0;
  for (let row = 0; row < oh; row++) {
    const start = row * stride - top;
    rowTaps += Math.max(0, Math.min(kh, ih - start) - Math.max(0, -start));
  }
  const whole = inside(ow, iw, kw, left);
  const calls = ow - whole + Math.ceil(whole / together);
  return { taps: rowTaps * kw, calls };
}

/** @param rounds how often each output is read and written, once for each part of the inputs */
function blockedConv(node: CostNode, block: number, cin: number, rounds: number): Features {
  const cout = up(node.cout, block);
  const sets = Math.ceil(cout / block / FILTER_SET);
  const together = block > 8 ? 6 : 3;
  const { taps, calls } = windows(node, together);
  const depth = cin / node.group;
  return [
    1,
    taps * node.ow * depth * cout,
    taps * calls * depth * sets,
    node.oh * node.ow * cout * rounds,
    depth * cout * node.kh * node.kw,
    passed(node, cout),
    spilled(node),
  ];
}

const RULES: Readonly<Record<CodePath, Rule>> = {
  'blocked-pointwise': (node, block) => {
    const cin = up(node.cin, block);
    const cout = up(node.cout, block);
    const pixels = node.oh * node.ow;
    const blocks = cout / block;
    const work = pixels * cin * block;
    const rest = blocks % FILTER_SET;
    const strided = node.stride > 1 ? pixels * cin : 0;
    return [
      1,
      work * (blocks - rest),
      work * rest,
      work * (rest === 1 ? 1 : 0),
      cin * cout,
      strided,
      passed(node, cout),
      spilled(node),
    ];
  },
  'blocked-conv': (node, block) => {
    const cin = up(node.cin, block);
    return blockedConv(node, block, cin, Math.ceil(cin / node.group / block));
  },
  'blocked-first': (node, block) => blockedConv(node, block, node.cin, node.cin),
  'blocked-depthwise': (node, block) => {
    const blocks = Math.ceil(node.cout / block);
    const { taps, calls } = windows(node, 6);
    return [
      1,
      taps * node.ow * blocks,
      taps * calls * blocks,
      node.oh * blocks,
      passed(node, node.cout),
      spilled(node),
    ];
  },
  'plain-conv': (node) => {
    const pixels = node.oh * node.ow;
    const depth = node.cin * node.kh * node.kw;
    const vectors = Math.ceil(pixels / 16);
    const copied = node.kh * node.kw * node.stride > 1 ? depth * pixels : 0;
    return [
      1,
      vectors * 16 * depth * node.cout,
      (vectors % 2) * 16 * depth * node.cout,
      vectors * 16 * depth,
      copied,
      node.cout * pixels,
      depth * node.cout,
      spilled(node),
    ];
  },
  'plain-grouped': (node) => {
    const pixels = node.oh * node.ow;
    const depth = (node.cin / node.group) * node.kh * node.kw;
    return [1, pixels * depth * node.cout, node.cout, node.oh * node.cout];
  },
  reorder: (node, block) => {
    const moved = up(node.cout, block) * node.oh * node.ow;
    // Planes a page apart fall on the same few lines of the nearest cache.
    const aliased = (node.oh * node.ow * FLOAT_BYTES) % PAGE_BYTES === 0;
    return [1, moved, aliased ? moved : 0];
  },
  gemm: (node) => [
    1,
    node.oh * node.cin * up(node.cout, 16),
    node.cin * node.cout,
    node.oh * node.cout,
  ],
  add: (node) => [1, elements(node)],
  elementwise: (node) => [1, elements(node) * (node.kind === 'elementwise' ? 1 : 4)],
  pool: (node) => [1, elements(node) * node.kh * node.kw, elements(node)],
  copy: (node) => [1, elements(node)],
  view: () => [1],
  company: () => [0, 0, 0],
  'int8-company': () => [0, 0, 0],
  'int8-pointwise': int8Product,
  'int8-conv': int8Product,
  'int8-depthwise': (node) => {
    const taps = node.oh * node.ow * node.kh * node.kw;
    const whole = node.cout % 16 === 0;
    return whole
      ? [1, taps * (node.cout / 16), taps, 0, 0, 0, spilled(node)]
      : [1, 0, 0, taps * (node.cout >> 3), taps * (node.cout % 8), taps, spilled(node)];
  },
  'int8-gemm': int8Product,
  'int8-add': (node) => [1, elements(node)],
  'int8-pool': (node) => [1, elements(node) * node.kh * node.kw, elements(node)],
  'int8-copy': (node) => [1, elements(node)],
  quantize: (node) => [1, elements(node)],
};

/** The least a vector register of the requantizing loop takes at once. */
const TAIL = 4;

/**
 * An integer matrix product and the scaling back of its result: outputs fill lanes of 16, then groups
 * of 4, and what is left goes one by one.
 */
function int8Product(node: CostNode): Features {
  const pixels = node.oh * node.ow;
  const taps = node.kh * node.kw;
  const depth = (node.cin / node.group) * taps;
  const unfilled = node.cout % TAIL > 0 ? 1 : 0;
  // Rows of the product are put together tap by tap, slower where a tap is no whole word.
  const copied = taps * node.stride > 1 ? pixels * taps : 0;
  return [
    1,
    pixels * up(depth, TAIL) * up(node.cout, 16),
    pixels * node.cout,
    pixels * depth,
    depth * node.cout,
    node.cout % 16 >= TAIL ? pixels : 0,
    pixels * unfilled,
    pixels * node.cout * unfilled,
    node.cout < 16 ? pixels : 0,
    copied,
    node.cin % TAIL > 0 ? copied : 0,
    spilled(node),
  ];
}

function elements(node: CostNode): number {
  return node.cout * node.oh * node.ow;
}
