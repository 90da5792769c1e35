/** Version of the profile's shape and of the kernel list it was measured with. */
export const PROFILE_SCHEMA_VERSION = 3;

/** Kinds of kernel; what each repeats is said at {@link Kernel}. */
export const KERNEL_OPS = [
  'conv',
  'gemm',
  'add',
  'negate',
  'transpose',
  'pool',
  'quantize',
  'block',
  'network',
] as const;
export type KernelOp = (typeof KERNEL_OPS)[number];

/**
 * A kernel that every device times, as the mean over a chain of equal steps at batch 1, so that
 * what surrounds the chain cancels. Data are `cin` x `size` x `width`.
 *
 * - `conv`: with ReLU (or, `activation` says so, with Clip), padded to keep the size; `group` equal
 *   to `cin` is depthwise. Where `cin` and `cout` differ, every second step goes back, and the time
 *   is the mean of the two.
 * - `gemm`: [1, cin] by [cin, cout] with ReLU, and back in the same manner.
 * - `add`: a residual sum; `pool`: an average over `kernel` x `kernel` at stride 1.
 * - `negate`: the sign of each element changed, the least work an operator can do.
 * - `transpose`: NCHW to NHWC, then taken as NCHW again.
 * - `quantize`: negate, to int8 and back.
 * - `block`: an inverted residual block, `cin` to `cout` by 1x1, depthwise 3x3, back by 1x1, and the
 *   sum with its input. Operators cost more in such company than among their like: code and weights
 *   are no longer in the nearest cache when their turn comes again.
 * - `network`: {@link NETWORK_LAYERS}, once. What it takes beyond its layers among their like is what
 *   a whole model takes.
 *
 * Where `weights` are not `near`, it is one layer with more weights than the nearest caches hold: what
 * it takes beyond its work says what bytes from farther off cost.
 */
export interface Kernel {
  readonly id: string;
  readonly op: KernelOp;
  readonly precisions: readonly ('fp32' | 'int8')[];
  readonly cin: number;
  readonly cout: number;
  /** Height of the input. */
  readonly size: number;
  /** Width of the input. */
  readonly width: number;
  /** Where a run finds its weights: in the nearest caches, in the last one, or in memory. */
  readonly weights: 'near' | 'kept' | 'far';
  readonly kernel: number;
  readonly stride: number;
  readonly group: number;
  /** Of a `conv`; the runtime computes ReLU within, other activations in a pass of their own. */
  readonly activation: 'relu' | 'clip';
  /** Steps of the long chain beyond the short one; null: by the kernel's work. */
  readonly steps: number | null;
}

const BOTH = ['fp32', 'int8'] as const;
const FLOAT = ['fp32'] as const;
const NONE = {
  kernel: 1,
  stride: 1,
  group: 1,
  activation: 'relu',
  steps: null,
  weights: 'near',
} as const;

/** One convolution of the small network, with ReLU, padded to keep the size at stride 1. */
export interface NetworkLayer {
  readonly kernel: number;
  readonly cin: number;
  readonly cout: number;
  readonly group: number;
  readonly stride: number;
  /** Instead of ReLU, the sum with the value so many layers before. */
  readonly adds: number | null;
}

function layer(kernel: number, cin: number, cout: number, more: Partial<NetworkLayer> = {}) {
  return { kernel, cin, cout, group: 1, stride: 1, adds: null, ...more };
}

/** Kinds of layers that small networks are made of, in their usual order, on 16 x 16 x 16. */
export const NETWORK_LAYERS: readonly NetworkLayer[] = [
  layer(3, 16, 32),
  layer(1, 32, 64),
  layer(3, 64, 64, { group: 64, stride: 2 }),
  layer(1, 64, 40),
  layer(1, 40, 120),
  layer(3, 120, 120, { group: 120 }),
  layer(1, 120, 40, { adds: 3 }),
  layer(3, 40, 64, { stride: 2 }),
  layer(3, 64, 64),
  layer(1, 64, 128),
];

function conv(
  kernel: number,
  size: number,
  cin: number,
  cout: number,
  precisions: Kernel['precisions'] = BOTH,
): Kernel {
  const id = `conv${kernel}x${kernel}-${cin}-${cout}-${size}`;
  return { ...NONE, id, op: 'conv', precisions, cin, cout, size, width: size, kernel };
}

function depthwise(
  kernel: number,
  size: number,
  channels: number,
  precisions: Kernel['precisions'] = BOTH,
): Kernel {
  const id = `dw${kernel}x${kernel}-${channels}-${size}`;
  const shape = { cin: channels, cout: channels, size, width: size, kernel, group: channels };
  return { ...NONE, id, op: 'conv', precisions, ...shape };
}

function clipped(kernel: Kernel): Kernel {
  return { ...kernel, id: `${kernel.id}-clip`, precisions: FLOAT, activation: 'clip' };
}

/** One layer with its weights in the last cache, and in memory: caches are filled with other data before. */
function stream(kernel: Kernel): { readonly kept: Kernel; readonly far: Kernel } {
  return {
    kept: { ...kernel, id: `${kernel.id}-kept`, weights: 'kept' },
    far: { ...kernel, id: `${kernel.id}-far`, weights: 'far' },
  };
}

/** The same with rows of another length. */
function wide(kernel: Kernel, width: number): Kernel {
  return { ...kernel, id: `${kernel.id}x${width}`, width };
}

function gemm(cin: number, cout: number, precisions: Kernel['precisions'] = BOTH): Kernel {
  return {
    ...NONE,
    id: `gemm-${cin}-${cout}`,
    op: 'gemm',
    precisions,
    cin,
    cout,
    size: 1,
    width: 1,
  };
}

function block(size: number, channels: number, expanded: number): Kernel {
  const shape = { cin: channels, cout: expanded, size, width: size };
  const id = `block-${channels}-${expanded}-${size}`;
  return { ...NONE, id, op: 'block', precisions: BOTH, ...shape, steps: 8 };
}

function plain(
  op: Exclude<KernelOp, 'conv' | 'gemm' | 'block' | 'network'>,
  channels: number,
  size: number,
  precisions: Kernel['precisions'] = BOTH,
  kernel = 1,
): Kernel {
  const id = `${op}-${channels}-${size}`;
  const shape = { cin: channels, cout: channels, size, width: size, kernel };
  return { ...NONE, id, op, precisions, ...shape };
}

/** For each kind of layer, one with about four megabytes of weights. What a byte costs is the same at int8. */
export const STREAMS: readonly { readonly kept: Kernel; readonly far: Kernel }[] = [
  stream(conv(1, 4, 1024, 1024, FLOAT)),
  stream(conv(3, 2, 192, 512, FLOAT)),
  stream(gemm(1024, 1024, FLOAT)),
];

/**
 * The committed kernel list. Widths lie on and off the 8 and 16 lanes that the runtime packs by, for
 * it takes other code where they do not fill a block; sizes from where a call's own cost weighs to
 * where the arithmetic does.
 */
export const KERNELS: readonly Kernel[] = [
  conv(1, 16, 16, 16),
  conv(1, 4, 32, 32),
  conv(1, 16, 32, 96),
  conv(1, 8, 128, 48),
  conv(1, 8, 64, 64),
  conv(1, 4, 256, 128),
  conv(1, 16, 128, 128),
  conv(1, 8, 24, 72),
  conv(1, 8, 20, 52),
  conv(1, 32, 16, 64),
  conv(1, 32, 32, 16),
  conv(1, 48, 8, 16),

  conv(1, 32, 16, 17, FLOAT),
  conv(1, 32, 17, 19, FLOAT),
  conv(1, 16, 32, 37, FLOAT),
  conv(1, 16, 9, 15),
  conv(1, 8, 35, 61),
  conv(1, 16, 21, 37),
  conv(1, 4, 113, 67),
  conv(1, 16, 6, 12),
  conv(1, 8, 8, 8),

  conv(3, 16, 16, 16),
  conv(3, 8, 32, 32),
  conv(3, 4, 64, 64),
  conv(3, 8, 48, 64),
  conv(3, 16, 32, 64),
  conv(5, 8, 16, 32),
  conv(3, 8, 20, 36),
  conv(3, 32, 16, 16),

  conv(3, 8, 21, 37),
  conv(3, 16, 9, 15),
  conv(3, 4, 53, 35),
  conv(3, 16, 3, 3),
  conv(3, 16, 3, 24),
  conv(3, 8, 8, 12),

  depthwise(3, 16, 16),
  depthwise(3, 32, 64),
  depthwise(3, 48, 16),
  depthwise(3, 16, 96),
  depthwise(3, 32, 32),
  depthwise(3, 8, 64),
  depthwise(3, 4, 192),
  depthwise(5, 8, 96),
  depthwise(3, 14, 128),
  depthwise(3, 8, 40),
  depthwise(3, 16, 24),
  depthwise(3, 8, 36),
  depthwise(3, 4, 100, ['int8']),
  depthwise(3, 8, 37),
  depthwise(3, 16, 21),
  depthwise(3, 4, 109),
  depthwise(3, 32, 7, FLOAT),
  wide(depthwise(3, 25, 30), 5),
  wide(conv(3, 20, 21, 30), 4),

  clipped(conv(1, 16, 32, 96)),
  clipped(conv(3, 8, 32, 32)),
  clipped(depthwise(3, 32, 32)),
  clipped(conv(1, 8, 35, 61)),
  clipped(depthwise(3, 8, 37)),
  clipped(conv(3, 16, 3, 12)),

  gemm(64, 16),
  gemm(128, 128),
  gemm(640, 128),
  gemm(512, 512),

  plain('add', 32, 8),
  plain('add', 64, 32),
  plain('negate', 16, 8, FLOAT),
  plain('negate', 64, 32, FLOAT),
  plain('transpose', 16, 8),
  plain('transpose', 64, 32),
  plain('pool', 32, 8, BOTH, 3),
  plain('pool', 64, 16, BOTH, 5),
  plain('quantize', 16, 8, ['int8']),
  plain('quantize', 64, 32, ['int8']),

  block(16, 16, 64),
  block(8, 32, 128),
  block(4, 64, 256),
  block(4, 96, 384),
  block(8, 20, 76),

  conv(1, 2, 256, 384),
  conv(3, 2, 96, 144),
  gemm(512, 320),

  {
    ...NONE,
    ...{ id: 'network', op: 'network', precisions: BOTH, cin: 16, cout: 128, size: 16, width: 16 },
  },

  ...STREAMS.flatMap(({ kept, far }) => [kept, far]),
];

const SHORT_STEPS = 2;
const MOST_STEPS = 12;
/** Multiply-accumulates, or elements moved, that are worth about as much as calling an operator. */
const CALL_WORK = 40_000;
/** Work of a long chain beyond the short one, so that a call's jitter is small beside it. */
const CHAIN_WORK = 2_400_000;
/** Weights of a chain, for a device must hold it several times over while it is made. */
const MOST_CHAIN_BYTES = 4 * 2 ** 20;

/**
 * Steps of the short and of the long chain that a kernel is timed with; even, for a step and its way
 * back are one period. The cheaper a step, the longer the chain. One large layer, or a network, is set
 * against none.
 */
export function chainSteps(kernel: Kernel): readonly [short: number, long: number] {
  if (kernel.weights !== 'near' || kernel.op === 'network') return [0, 1];
  if (kernel.steps !== null) return [SHORT_STEPS, SHORT_STEPS + kernel.steps];
  const pixels = kernel.size * kernel.width;
  const weighted = kernel.op === 'conv' || kernel.op === 'gemm';
  const depth = weighted ? (kernel.cin / kernel.group) * kernel.cout : kernel.cin * 8;
  const steps = CHAIN_WORK / (CALL_WORK + pixels * kernel.kernel ** 2 * depth);
  const bytes = weighted ? 4 * depth * kernel.kernel ** 2 : 0;
  const most = Math.min(MOST_STEPS, bytes > 0 ? MOST_CHAIN_BYTES / bytes - SHORT_STEPS : Infinity);
  const periods = Math.min(Math.floor(most / 2), Math.round(steps / 2));
  return [SHORT_STEPS, SHORT_STEPS + 2 * Math.max(1, periods)];
}
