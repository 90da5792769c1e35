import type { CodePath } from './steps.js';

/** What a code path costs on a device. */
export interface PathCosts {
  /** Milliseconds for one unit of each feature. */
  readonly costs: Float64Array;
  /** Measured over fitted time of each kernel of the path, in the order of the committed list. */
  readonly ratios: readonly number[];
  /** Root of the mean squared relative error of the fit, noise of the measurement included. */
  readonly error: number;
}

/** A device's own costs, from its kernel table. */
export interface DeviceCosts {
  /** Channels in a block of the runtime's convolution layout; 1: it has none. */
  readonly block: number;
  readonly callMs: number;
  /** What the last cache before memory holds; null: not known. */
  readonly cacheBytes: number | null;
  /** What the largest cache below that holds; null: not known. */
  readonly nearCacheBytes: number | null;
  readonly paths: ReadonlyMap<CodePath, PathCosts>;
  /** What operators take in a network over what they take among their like. */
  readonly whole: Readonly<Record<'fp32' | 'int8', number>>;
  /** Costs of rough features, for a path that the device did not measure. */
  readonly plain: Readonly<Record<'fp32' | 'int8', ArrayLike<number>>>;
}
