/** Version of the profile's shape and of the kernel list it was measured with. */
export const PROFILE_SCHEMA_VERSION = 1;

/** Kinds of kernel; what each repeats is said at {@link Kernel}. */
export const KERNEL_OPS = [
  'conv',
  'gemm',
  'add',
  'negate',
  'transpose',
  'pool',
  'quantize',
] as const;
export type KernelOp = (typeof KERNEL_OPS)[number];

/**
 * A kernel that every device times, as the mean over a chain of equal steps at batch 1, so that
 * what surrounds the chain cancels. Data are `cin` x `size` x `size`.
 *
 * - `conv`: with ReLU (or, `activation` says so, with Clip), padded to keep the size; `group` equal to `cin` is depthwise. Where `cin` and
 *   `cout` differ, every second step goes back, and the time is the mean of the two.
 * - `gemm`: [1, cin] by [cin, cout] with ReLU, and back in the same manner.
 * - `add`: a residual sum; `pool`: an average over `kernel` x `kernel` at stride 1.
 * - `negate`: the sign of each element changed, the least work an operator can do.
 * - `transpose`: NCHW to NHWC, then taken as NCHW again.
 * - `quantize`: negate, to int8 and back.
 */
export interface Kernel {
  readonly id: string;
  readonly op: KernelOp;
  readonly precisions: readonly ('fp32' | 'int8')[];
  readonly cin: number;
  readonly cout: number;
  /** Height and width of the input. */
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly group: number;
  /** Of a `conv`; the runtime computes ReLU within, other activations in a pass of their own. */
  readonly activation: 'relu' | 'clip';
}

const BOTH = ['fp32', 'int8'] as const;
const FLOAT = ['fp32'] as const;
const NONE = { kernel: 1, stride: 1, group: 1, activation: 'relu' } as const;

function conv(
  kernel: number,
  size: number,
  cin: number,
  cout: number,
  precisions: Kernel['precisions'] = BOTH,
): Kernel {
  const id = `conv${kernel}x${kernel}-${cin}-${cout}-${size}`;
  return { ...NONE, id, op: 'conv', precisions, cin, cout, size, kernel };
}

function depthwise(kernel: number, size: number, channels: number): Kernel {
  const id = `dw${kernel}x${kernel}-${channels}-${size}`;
  const shape = { cin: channels, cout: channels, size, kernel, group: channels };
  return { ...NONE, id, op: 'conv', precisions: BOTH, ...shape };
}

function clipped(kernel: Kernel): Kernel {
  return { ...kernel, id: `${kernel.id}-clip`, precisions: FLOAT, activation: 'clip' };
}

function gemm(cin: number, cout: number): Kernel {
  return { ...NONE, id: `gemm-${cin}-${cout}`, op: 'gemm', precisions: BOTH, cin, cout, size: 1 };
}

function plain(
  op: Exclude<KernelOp, 'conv' | 'gemm'>,
  channels: number,
  size: number,
  precisions: Kernel['precisions'] = BOTH,
  kernel = 1,
): Kernel {
  const id = `${op}-${channels}-${size}`;
  return { ...NONE, id, op, precisions, cin: channels, cout: channels, size, kernel };
}

/**
 * The committed kernel list. Widths lie on and off the 8 and 16 lanes that the runtime packs by, for
 * it takes other code where they do not fill a block; sizes from where a call's own cost weighs to
 * where the arithmetic does.
 */
export const KERNELS: readonly Kernel[] = [
  conv(1, 16, 16, 16),
  conv(1, 4, 32, 32),
  conv(1, 8, 64, 16),
  conv(1, 16, 32, 96),
  conv(1, 8, 128, 48),
  conv(1, 8, 64, 64),
  conv(1, 4, 256, 128),
  conv(1, 16, 128, 128),
  conv(1, 8, 24, 72),
  conv(1, 8, 20, 52),

  conv(1, 32, 16, 17, FLOAT),
  conv(1, 16, 32, 37, FLOAT),
  conv(1, 8, 96, 65, FLOAT),
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
  conv(3, 8, 96, 16),
  conv(5, 8, 16, 32),
  conv(3, 8, 20, 36),

  conv(3, 8, 21, 37),
  conv(3, 16, 9, 15),
  conv(3, 4, 53, 35),
  conv(3, 16, 3, 3),
  conv(3, 8, 8, 12),

  depthwise(3, 16, 16),
  depthwise(3, 32, 32),
  depthwise(3, 8, 64),
  depthwise(3, 4, 192),
  depthwise(5, 8, 96),
  depthwise(3, 14, 128),
  depthwise(3, 8, 40),
  depthwise(3, 16, 24),
  depthwise(3, 8, 36),
  depthwise(3, 4, 100),
  depthwise(3, 8, 37),
  depthwise(3, 16, 21),
  depthwise(3, 4, 109),

  clipped(conv(1, 16, 32, 96)),
  clipped(conv(1, 4, 128, 64)),
  clipped(conv(3, 8, 32, 32)),
  clipped(depthwise(3, 32, 32)),
  clipped(depthwise(3, 8, 128)),
  clipped(conv(1, 8, 35, 61)),
  clipped(depthwise(3, 8, 37)),
  clipped(conv(3, 16, 3, 12)),

  gemm(64, 16),
  gemm(128, 128),
  gemm(640, 128),
  gemm(1024, 512),

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
];
