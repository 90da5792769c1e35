import type { Profile } from '@espalier/protocol';
import { TuningError } from './errors.js';
import { weigh } from './features.js';
import type { Fit } from './fit.js';
import {
  type KernelTable,
  kernelTable,
  type KernelTimes,
  kernelTimes,
  type PathTable,
  threadValue,
} from './kernel-table.js';
import type { DeviceCosts, PathCosts } from './path-costs.js';
import { weighPaths } from './path-work.js';
import { fitThreads, type ThreadedPair } from './threads.js';
import type { CodePath } from './steps.js';

/** The channel block that a profile says, or that its instruction set leads to. */
export function blockOf(profile: Profile): number {
  if (profile.runtime.convBlock !== undefined) return profile.runtime.convBlock;
  if (profile.cpu.arch !== 'x64') return 1;
  return profile.cpu.isa.includes('avx512f') ? 16 : 8;
}

/**
 * Finds what each code path costs on a device at a number of threads. One thread: the costs of a
 * path's features that come nearest to the measured kernels, relative errors counted. More: each
 * path's own overhead and speed-up against that.
 * @param threads more than the device's cores are taken as all of them
 * @throws TuningError TUNING_PROFILE when the profile measured nothing
 */
export function deviceCosts(profile: Profile, threads: number): DeviceCosts {
  const block = blockOf(profile);
  const table = kernelTable(block);
  const alone = kernelTimes(profile, 1, table);
  if (alone.ms.every((ms) => ms === 0)) {
    throw new TuningError(
      'TUNING_PROFILE',
      'The profile holds no kernel times; measure the device again.',
    );
  }
  const base = new DeviceFit(table, alone, 1);
  const single = base.single();
  const more = threads > 1 ? kernelTimes(profile, threads, table) : null;
  const fit = more ? new DeviceFit(table, more, threads) : base;
  const paths = more ? fit.threaded(single, base) : single.paths;
  // The graph that calls are measured with has one operator.
  const called = threadValue(
    profile.callOverheadMs.map(({ threads: count, ms }) => [count, ms]),
    threads,
  );
  return {
    block,
    paths,
    plain: single.plain,
    whole: fit.whole({ paths, plain: single.plain }),
    cacheBytes: profile.cpu.cacheBytes ?? null,
    nearCacheBytes: profile.cpu.nearCacheBytes ?? null,
    callMs: Math.max(0, called - (paths.get('elementwise')?.costs[0] ?? 0)),
  };
}

/** A network that is farther from its layers than this was disturbed while it was measured. */
const LEAST_WHOLE = 0.75;
const MOST_WHOLE = 1.4;

type Paths = Map<CodePath, PathCosts>;
type Fitted = Pick<DeviceCosts, 'paths' | 'plain'>;

/** What each kernel of a path spends on the path itself, milliseconds; weight 0: not known. */
interface OwnTimes {
  readonly ms: number[];
  readonly weights: number[];
}

/** A kernel says nothing of a path that is less than this share of its time. */
const LEAST_OWN_SHARE = 0.1;
/** How much the spread of a kernel's runs counts against it. */
const SPREAD_WEIGHT = 3;
/** A kernel farther from the fit than this was disturbed while it was measured. */
const MOST_RATIO = 1.6;
/** The same against what threads make of it. */
const MOST_THREADED_RATIO = 1.25;

class DeviceFit {
  constructor(
    private readonly table: KernelTable,
    private readonly times: KernelTimes,
    private readonly threads: number,
  ) {}

  single(): { paths: Paths; plain: DeviceCosts['plain'] } {
    const paths: Paths = new Map();
    const device = { paths, plain: this.plain() };
    for (const table of this.table.paths) {
      const own = this.ownTimes(table, device);
      if (own.weights.some((weight) => weight > 0)) {
        const { costs, error } = table.fit.fit(own.ms, own.weights);
        const ratios = table.rows.map((row, at) =>
          boundedRatio(own.ms[at] ?? 0, weigh(row, costs), 1 / MOST_RATIO, MOST_RATIO),
        );
        paths.set(table.path, { costs, ratios, error });
      }
      setView(paths, table.path);
    }
    this.addCompanies(device);
    return device;
  }

  /**
   * The same at more threads: for each path an overhead and a share of what one thread takes beyond
   * its overhead, from the kernels measured at both. Kernels differ in whether they are split at all,
   * so each keeps its own ratio to that, too.
   */
  threaded(single: Fitted, alone: DeviceFit): Paths {
    const paths: Paths = new Map();
    const device = { paths, plain: single.plain };
    for (const table of this.table.paths) {
      const one = single.paths.get(table.path);
      if (!one) continue;
      const before = alone.ownTimes(table, single);
      const after = this.ownTimes(table, device);
      const overhead = one.costs[0] ?? 0;
      const rows = table.rows.map(([calls = 0], at) => [
        overhead * calls,
        Math.max(0, (before.ms[at] ?? 0) - overhead * calls),
      ]);
      const pairs = rows.flatMap(([called = 0, spent = 0], at): ThreadedPair[] => {
        const known = (before.weights[at] ?? 0) > 0 && (after.weights[at] ?? 0) > 0;
        const calls = table.rows[at]?.[0] ?? 0;
        return known ? [{ at, calls, called, spent, ms: after.ms[at] ?? 0 }] : [];
      });
      const { extraMs, share, error } = fitThreads(pairs, this.threads);
      paths.set(table.path, {
        costs: one.costs.map((cost, at) => (at === 0 ? cost + extraMs : cost * share)),
        ratios: one.ratios.map((ratio, at) => {
          const pair = pairs.find((each) => each.at === at);
          if (!pair) return ratio;
          const fitted = pair.called + extraMs * pair.calls + share * pair.spent;
          // A kernel may be split where most of its path are not.
          const least = 1 / this.threads;
          return ratio * boundedRatio(pair.ms, fitted, least, MOST_THREADED_RATIO);
        }),
        error: Math.hypot(one.error, error),
      });
      setView(paths, table.path);
    }
    this.addCompanies(device);
    return paths;
  }

  /**
   * What a network takes over what its layers' costs add up to; 1 where none was measured. The small one
   * is a single example, and networks differ among each other in this by about as much as it does from
   * its layers: half of what it says is taken, by ratio, as an estimate from one is drawn to the mean.
   */
  whole(device: Fitted): DeviceCosts['whole'] {
    const of = (precision: 'fp32' | 'int8'): number => {
      const { at, work, convolutions } = this.table.network[precision];
      const company = device.paths.get(precision === 'fp32' ? 'company' : 'int8-company');
      const time = (this.times.ms[at] ?? 0) - convolutions * (company?.costs[0] ?? 0);
      const ratio = boundedRatio(time, weighPaths(work, device).ms, LEAST_WHOLE, MOST_WHOLE);
      return Math.sqrt(ratio);
    };
    return { fp32: of('fp32'), int8: of('int8') };
  }

  /** What each kernel spends on the path itself, milliseconds; weight 0: not known, or next to nothing. */
  private ownTimes(table: PathTable, device: Fitted): OwnTimes {
    // Plain arrays, for typed ones of this size live outside the heap, and a fleet makes many.
    const ms = table.at.map(() => 0);
    const weights = table.at.map(() => 0);
    for (let i = 0; i < table.at.length; i++) {
      const at = table.at[i] ?? -1;
      const time = this.times.ms[at] ?? 0;
      if (time === 0) continue;
      const own = time - weighPaths(table.others[i] ?? [], device).ms;
      if (own < LEAST_OWN_SHARE * time) continue;
      ms[i] = own;
      weights[i] = 1 / (time * Math.hypot(1, SPREAD_WEIGHT * (this.times.spread[at] ?? 0)));
    }
    return { ms, weights };
  }

  /** What an operator costs more in a block than among its like, and bytes of weights from farther off. */
  private addCompanies(device: { paths: Paths; plain: DeviceCosts['plain'] }): void {
    const perByte = (at: number, nearMs: number, bytes: number): number => {
      const time = this.times.ms[at] ?? 0;
      return time > 0 && bytes > 0 ? Math.max(0, time - nearMs) / bytes : 0;
    };
    const nearMs = this.table.streams.map(({ work }) => weighPaths(work, device).ms);
    const streams = (of: 'far' | 'kept') =>
      this.table.streams.map((one, kind) => perByte(one[of], nearMs[kind] ?? 0, one.bytes));
    const bytes = [...streams('far'), ...streams('kept')];
    for (const table of this.table.companies) {
      const own = this.ownTimes(table, device);
      const known = own.weights.some((weight) => weight > 0);
      const { costs, error }: Fit = known
        ? table.fit.fit(own.ms, own.weights)
        : { costs: new Float64Array(1), error: 0 };
      device.paths.set(table.path, {
        costs: Float64Array.of(costs[0] ?? 0, ...bytes),
        ratios: [],
        error,
      });
    }
  }

  /** Found when first asked for: most devices measured every path that a model needs. */
  private plain(): DeviceCosts['plain'] {
    const known = new Map<'fp32' | 'int8', ArrayLike<number>>();
    const find = (precision: 'fp32' | 'int8'): ArrayLike<number> => {
      let costs = known.get(precision);
      if (!costs) known.set(precision, (costs = this.fitPlain(precision)));
      return costs;
    };
    return {
      get fp32() {
        return find('fp32');
      },
      get int8() {
        return find('int8');
      },
    };
  }

  private fitPlain(precision: 'fp32' | 'int8'): ArrayLike<number> {
    const { at, fit } = this.table.plain[precision];
    const ms = at.map((position) => this.times.ms[position] ?? 0);
    return fit.fit(
      ms,
      ms.map((time) => (time > 0 ? 1 / time : 0)),
    ).costs;
  }
}

/** Views are called and do nothing else. */
function setView(paths: Paths, after: CodePath): void {
  const base = paths.get('elementwise')?.costs[0];
  if (after === 'elementwise' && base !== undefined) {
    paths.set('view', { costs: Float64Array.of(base), ratios: [], error: 0 });
  }
}

function boundedRatio(measured: number, fitted: number, least: number, most: number): number {
  if (measured <= 0 || fitted <= 0) return 1;
  return Math.min(most, Math.max(least, measured / fitted));
}
