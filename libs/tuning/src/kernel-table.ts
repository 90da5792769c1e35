import { KERNELS, type Profile, STREAMS } from '@espalier/protocol';
import { CostFit } from './fit.js';
import { convolutionsOf, weightBytesOf } from './company.js';
import {
  FIT_ORDER,
  isEvidence,
  kernelsOfPath,
  type KernelWork,
  kernelWork,
  layerSteps,
  networkSteps,
} from './kernel-work.js';
import { type PathWork, pathWorkOf } from './path-work.js';
import type { CodePath } from './steps.js';

/** The kernels that are the evidence for one path, ready for any device's times. */
export interface PathTable {
  readonly path: CodePath;
  /** Positions in the table of kernels. */
  readonly at: readonly number[];
  /** What each runs of the path itself. */
  readonly rows: readonly (readonly number[])[];
  /** What each runs of other paths. */
  readonly others: readonly (readonly PathWork[])[];
  readonly fit: CostFit;
}

/** Every kernel of the committed list for a channel block, made once for all devices. */
export interface KernelTable {
  readonly works: readonly KernelWork[];
  readonly position: Readonly<Record<'fp32' | 'int8', ReadonlyMap<string, number>>>;
  /** In the order in which costs are found. */
  readonly paths: readonly PathTable[];
  readonly companies: readonly PathTable[];
  /** The small network: its position, what it runs, and how many convolutions that are. */
  readonly network: Readonly<
    Record<
      'fp32' | 'int8',
      { readonly at: number; readonly work: readonly PathWork[]; readonly convolutions: number }
    >
  >;
  /** Layers with many weights, by kind: positions of each, and what it runs. */
  readonly streams: readonly {
    readonly kept: number;
    readonly far: number;
    readonly bytes: number;
    readonly work: readonly PathWork[];
  }[];
  readonly plain: Readonly<Record<'fp32' | 'int8', PathTable>>;
}

/** Times of a device by position in the table, milliseconds and relative; 0: not measured. */
export interface KernelTimes {
  readonly ms: Float64Array;
  readonly spread: Float64Array;
}

const TABLES = new Map<number, KernelTable>();

/** The table of kernels for a channel block. */
export function kernelTable(block: number): KernelTable {
  let table = TABLES.get(block);
  if (!table) TABLES.set(block, (table = makeTable(block)));
  return table;
}

function makeTable(block: number): KernelTable {
  const works = kernelWork(block);
  const byPath = kernelsOfPath(block);
  const positions = (precision: 'fp32' | 'int8') =>
    new Map(
      works.flatMap((work, at) =>
        work.precision === precision ? [[work.kernel.id, at] as const] : [],
      ),
    );
  const position = { fp32: positions('fp32'), int8: positions('int8') };
  const tableOf = (
    path: CodePath,
    chosen: readonly KernelWork[],
    rowOf: (work: KernelWork) => readonly number[],
  ): PathTable => {
    const rows = chosen.map(rowOf);
    const at = chosen.map((work) => works.indexOf(work));
    const others = chosen.map((work) => pathWorkOf(work.otherSteps, block));
    return { path, at, rows, others, fit: new CostFit(rows) };
  };
  const network = (precision: 'fp32' | 'int8') => {
    const kernel = KERNELS.find(({ op }) => op === 'network');
    if (!kernel) return { at: -1, work: [], convolutions: 0 };
    const { whole, ends } = networkSteps(kernel, precision, block);
    return {
      at: position[precision].get(kernel.id) ?? -1,
      work: pathWorkOf(
        [
          ...whole.map((step) => ({ step, share: 1 })),
          ...ends.map((step) => ({ step, share: -1 })),
        ],
        block,
      ),
      convolutions: convolutionsOf(whole) - convolutionsOf(ends),
    };
  };
  const plain = (precision: 'fp32' | 'int8') =>
    tableOf(
      'elementwise',
      works.filter((work) => work.precision === precision && isEvidence(work)),
      (work) => work.plain,
    );
  return {
    works,
    position,
    paths: FIT_ORDER.map((path) =>
      tableOf(path, byPath.get(path) ?? [], (work) => work.features.get(path) ?? []),
    ),
    companies: (['company', 'int8-company'] as const).map((path) => {
      return tableOf(path, byPath.get(path) ?? [], (work) => [work.features.get(path)?.[0] ?? 0]);
    }),
    network: { fp32: network('fp32'), int8: network('int8') },
    streams: STREAMS.map(({ kept, far }) => {
      const steps = layerSteps(kept, block);
      return {
        kept: position.fp32.get(kept.id) ?? -1,
        far: position.fp32.get(far.id) ?? -1,
        bytes: steps.reduce((sum, { node }) => sum + weightBytesOf(node), 0),
        work: pathWorkOf(
          steps.map((step) => ({ step, share: 1 })),
          block,
        ),
      };
    }),
    plain: { fp32: plain('fp32'), int8: plain('int8') },
  };
}

/**
 * A profile's kernel times at a number of threads; between two that were measured, linear in one over
 * the threads. What was measured at one thread alone says nothing of more.
 */
export function kernelTimes(profile: Profile, threads: number, table: KernelTable): KernelTimes {
  const ms = new Float64Array(table.works.length);
  const spread = new Float64Array(table.works.length);
  for (const time of profile.kernels) {
    const at = table.position[time.precision].get(time.id);
    if (at === undefined || time.threads !== threads || time.medianMs <= 0) continue;
    ms[at] = time.medianMs;
    spread[at] = time.spread;
  }
  if (threads > 1) addBetween(profile, threads, table, ms);
  return { ms, spread };
}

function addBetween(profile: Profile, threads: number, table: KernelTable, ms: Float64Array): void {
  const points = new Map<number, [number, number][]>();
  for (const time of profile.kernels) {
    const at = table.position[time.precision].get(time.id);
    if (at === undefined || ms[at] !== 0 || time.medianMs <= 0) continue;
    const known = points.get(at);
    if (known) known.push([time.threads, time.medianMs]);
    else points.set(at, [[time.threads, time.medianMs]]);
  }
  for (const [at, measured] of points) {
    if (measured.length > 1) ms[at] = threadValue(measured, threads);
  }
}

/** A value at a thread count between those measured: linear in one over the threads. */
export function threadValue(
  points: readonly (readonly [number, number])[],
  threads: number,
): number {
  const sorted = [...points].sort(([a], [b]) => a - b);
  const above = sorted.find(([count]) => count >= threads) ?? sorted.at(-1);
  const below = sorted.findLast(([count]) => count <= threads) ?? sorted[0];
  if (!above || !below) return 0;
  if (above[0] === below[0]) return above[1];
  const share = (1 / below[0] - 1 / threads) / (1 / below[0] - 1 / above[0]);
  return below[1] + (above[1] - below[1]) * share;
}
