import type { Profile } from '@espalier/protocol';
import { TuningError } from './errors.js';
import { type Features } from './features.js';
import { FIT_ORDER, type KernelWork, kernelWork } from './kernel-work.js';
import { nonnegativeLeastSquares } from './nonnegative-least-squares.js';
import { CODE_PATHS, type CodePath } from './steps.js';

/** What a code path costs on a device. */
export interface PathCosts {
  /** Milliseconds for one unit of each feature. */
  readonly costs: readonly number[];
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
  readonly paths: ReadonlyMap<CodePath, PathCosts>;
  /** Costs of {@link plainFeatures}, for a path that the device did not measure. */
  readonly plain: Readonly<Record<'fp32' | 'int8', readonly number[]>>;
}

/** Kernels of each path, in the order of the committed list. */
export function kernelsOfPath(block: number): ReadonlyMap<CodePath, readonly KernelWork[]> {
  const known = BY_PATH.get(block);
  if (known) return known;
  const table = kernelWork(block);
  const byPath = new Map(
    CODE_PATHS.map((path) => [path, table.filter((work) => work.path === path)]),
  );
  BY_PATH.set(block, byPath);
  return byPath;
}

const BY_PATH = new Map<number, ReadonlyMap<CodePath, readonly KernelWork[]>>();

/** The channel block that a profile says, or that its instruction set leads to. */
export function blockOf(profile: Profile): number {
  if (profile.runtime.convBlock !== undefined) return profile.runtime.convBlock;
  if (profile.cpu.arch !== 'x64') return 1;
  return profile.cpu.isa.includes('avx512f') ? 16 : 8;
}

/**
 * Finds what each code path costs on a device at a number of threads: for each path the costs of its
 * features that come nearest to the measured kernels, relative errors counted.
 * @param threads more than the device's cores are taken as all of them
 * @throws TuningError TUNING_PROFILE when the profile measured nothing
 */
export function deviceCosts(profile: Profile, threads: number): DeviceCosts {
  const block = blockOf(profile);
  const times = kernelTimes(profile, threads);
  if (times.size === 0) {
    throw new TuningError(
      'TUNING_PROFILE',
      'The profile holds no kernel times; measure the device again.',
    );
  }
  const paths = new Map<CodePath, PathCosts>();
  const byPath = kernelsOfPath(block);
  for (const path of FIT_ORDER) {
    const fitted = fitPath(byPath.get(path) ?? [], path, times, paths);
    if (fitted) paths.set(path, fitted);
  }
  const base = paths.get('elementwise')?.costs[0];
  if (base !== undefined) paths.set('view', { costs: [base], ratios: [], error: 0 });
  return {
    block,
    callMs: threadValue(
      profile.callOverheadMs.map(({ threads: count, ms }) => [count, ms]),
      threads,
    ),
    paths,
    plain: {
      fp32: fitPlain(kernelWork(block), 'fp32', times),
      int8: fitPlain(kernelWork(block), 'int8', times),
    },
  };
}

interface Timed {
  readonly ms: number;
  readonly spread: number;
}

type Times = ReadonlyMap<string, Timed>;

const keyOf = (id: string, precision: string) => `${id}/${precision}`;

function kernelTimes(profile: Profile, threads: number): Times {
  const byKernel = new Map<string, { points: [number, number][]; spread: number }>();
  for (const { id, precision, threads: count, medianMs, spread } of profile.kernels) {
    if (medianMs <= 0) continue;
    const key = keyOf(id, precision);
    const entry = byKernel.get(key) ?? { points: [], spread: 0 };
    entry.points.push([count, medianMs]);
    entry.spread = Math.max(entry.spread, spread);
    byKernel.set(key, entry);
  }
  const times = new Map<string, Timed>();
  for (const [key, { points, spread }] of byKernel) {
    times.set(key, { ms: threadValue(points, threads), spread });
  }
  return times;
}

/** A value at a thread count between those measured: linear in one over the threads. */
function threadValue(points: readonly (readonly [number, number])[], threads: number): number {
  const sorted = [...points].sort(([a], [b]) => a - b);
  const above = sorted.find(([count]) => count >= threads) ?? sorted.at(-1);
  const below = sorted.findLast(([count]) => count <= threads) ?? sorted[0];
  if (!above || !below) return 0;
  if (above[0] === below[0]) return above[1];
  const share = (1 / below[0] - 1 / threads) / (1 / below[0] - 1 / above[0]);
  return below[1] + (above[1] - below[1]) * share;
}

function fitPath(
  works: readonly KernelWork[],
  path: CodePath,
  times: Times,
  known: ReadonlyMap<CodePath, PathCosts>,
): PathCosts | null {
  const targets = works.map((work) => {
    const time = times.get(keyOf(work.kernel.id, work.precision));
    if (!time) return null;
    let ms = time.ms;
    for (const [other, features] of work.features) {
      if (other !== path) ms -= weigh(features, known.get(other)?.costs ?? []);
    }
    return ms > time.ms * LEAST_OWN_SHARE ? { ms, spread: time.spread } : null;
  });
  const rows: Features[] = [];
  const values: number[] = [];
  const weights: number[] = [];
  works.forEach((work, at) => {
    const target = targets[at];
    const features = work.features.get(path);
    if (!target || !features) return;
    rows.push(features);
    values.push(target.ms);
    weights.push(1 / (target.ms * (1 + target.spread)));
  });
  if (rows.length === 0) return null;
  const costs = nonnegativeLeastSquares(rows, values, weights);
  const ratios = works.map((work, at) => {
    const target = targets[at];
    const fitted = weigh(work.features.get(path) ?? [], costs);
    if (!target || fitted <= 0) return 1;
    return Math.min(MOST_RATIO, Math.max(1 / MOST_RATIO, target.ms / fitted));
  });
  const squares = rows.map((row, at) => (weigh(row, costs) / (values[at] ?? 1) - 1) ** 2);
  const error = Math.sqrt(squares.reduce((sum, square) => sum + square, 0) / rows.length);
  return { costs, ratios, error };
}

/** A kernel says nothing of a path that is less than this share of its time. */
const LEAST_OWN_SHARE = 0.15;
/** A kernel farther from the fit than this was disturbed while it was measured. */
const MOST_RATIO = 1.6;

function fitPlain(
  works: readonly KernelWork[],
  precision: 'fp32' | 'int8',
  times: Times,
): number[] {
  const measured = works.flatMap((work) => {
    const time = times.get(keyOf(work.kernel.id, work.precision));
    return time && work.precision === precision ? [{ row: work.plain, ms: time.ms }] : [];
  });
  if (measured.length === 0) return [0, 0, 0];
  return nonnegativeLeastSquares(
    measured.map(({ row }) => row),
    measured.map(({ ms }) => ms),
    measured.map(({ ms }) => 1 / ms),
  );
}

/** The sum of features, each times its cost. */
export function weigh(features: Features, costs: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < features.length; i++) sum += (features[i] ?? 0) * (costs[i] ?? 0);
  return sum;
}
