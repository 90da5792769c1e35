/** Version of the profile's shape and of the kernel list it was measured with. */
export const PROFILE_SCHEMA_VERSION = 1;

/**
 * A kernel that every device times. `conv` with `group` equal to `cin` is depthwise; `gemm`
 * multiplies [m, cin] by [cin, cout]; `add` and `copy` move `cin` x `size` x `size` floats.
 */
export interface Kernel {
  readonly id: string;
  readonly op: 'conv' | 'gemm' | 'add' | 'copy';
  readonly cin: number;
  readonly cout: number;
  /** Height and width of the input. */
  readonly size: number;
  readonly kernel: number;
  readonly stride: number;
  readonly group: number;
}

const conv = (cin: number, cout: number, size: number, kernel: number, group = 1): Kernel => ({
  id: `${group > 1 ? 'dw' : 'conv'}${kernel}x${kernel}-${cin}-${cout}-${size}`,
  op: 'conv',
  cin,
  cout,
  size,
  kernel,
  stride: 1,
  group,
});

/** The committed kernel list, small enough to time in seconds on a small device. */
export const KERNELS: readonly Kernel[] = [
  conv(16, 16, 32, 1),
  conv(32, 32, 16, 1),
  conv(64, 64, 16, 1),
  conv(128, 128, 8, 1),
  conv(256, 256, 4, 1),
  conv(16, 16, 32, 3),
  conv(32, 32, 16, 3),
  conv(64, 64, 8, 3),
  conv(32, 32, 32, 3, 32),
  conv(96, 96, 16, 3, 96),
  conv(192, 192, 8, 3, 192),
  { id: 'gemm-256-256', op: 'gemm', cin: 256, cout: 256, size: 1, kernel: 1, stride: 1, group: 1 },
  { id: 'add-64-32', op: 'add', cin: 64, cout: 64, size: 32, kernel: 1, stride: 1, group: 1 },
  { id: 'copy-64-32', op: 'copy', cin: 64, cout: 64, size: 32, kernel: 1, stride: 1, group: 1 },
];
