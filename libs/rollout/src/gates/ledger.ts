import { ChangeComparison, estimateLevel, type Labelled } from '@espalier/evidence';
import type { RolloutSpec } from '../spec.js';
import type { DeviceRecord, RolloutState } from '../state.js';
import { sortByWindows, type DeviceMetric, type Windows } from './device-share.js';
import { errorOf, metricsOf, type Evidence, type VariantEvidence } from './evidence.js';

/** One window of what a device measured while it served. Times are milliseconds since the epoch. */
export interface MeasuredWindow {
  readonly deviceId: string;
  readonly releaseId: string;
  readonly variantId: string;
  readonly modelSha256: string;
  readonly from: number;
  readonly to: number;
  readonly labelled: number;
  readonly correct: number;
  readonly latencyP95Ms: number | null;
  readonly rssBytes: number;
  readonly restarts: number;
}

/** Fewer labels than these are no baseline to compare a device with. */
const MIN_BASELINE = 20;
/** Labels of one device are taken to correlate so much where it cannot be compared with itself. */
const CORRELATION = 0.1;
const FIRST_BLOCK_MS = 60_000;
const MOST_BLOCKS = 64;
const MEBIBYTE = 2 ** 20;

interface Tested {
  windows: number;
  over: number;
}

interface Account {
  /** What it ran before, over all of it. */
  readonly before: {
    labels: number;
    correct: number;
    windows: number;
    latencyMs: number;
    rssBytes: number;
  };
  /** Since it is compared: with the update, or as a control. */
  variantId: string;
  /** Labelled samples by block of time since the start. */
  blocks: Map<number, { labels: number; correct: number }>;
  latency: Tested;
  memory: Tested;
  restarts: { first: number; last: number } | null;
}

/**
 * Gathers what a rollout's devices measure, window by window, into the evidence that its gates
 * judge. What it ran before the start is a device's baseline; of a treated device windows count from
 * its success on, of a control those since the start in which it still ran the same. Bounded: the
 * blocks of time are doubled whenever there would be too many.
 */
export class EvidenceLedger {
  private readonly accounts = new Map<string, Account>();
  private blockMs = FIRST_BLOCK_MS;

  constructor(private readonly releaseId: string) {}

  /** Takes one window; what belongs to neither side is left out. */
  take(window: MeasuredWindow, state: RolloutState): void {
    const device = state.devices.get(window.deviceId);
    const { startedAt } = state;
    if (!device || startedAt === null) return;
    if (window.to <= startedAt) {
      if (runsAsBefore(window, device)) this.takeBaseline(window, device);
      return;
    }
    const isControl = device.stage >= state.spec.stages.length && device.status === 'control';
    const counts = isControl
      ? window.from >= startedAt && runsAsBefore(window, device)
      : this.isTreated(window, device);
    if (!counts) return;
    const account = this.accountOf(device);
    if (account.variantId !== device.variantId) Object.assign(account, freshSide(device.variantId));
    if (window.labelled > 0) this.takeLabels(account, window, startedAt);
    if (!isControl) takeFigures(account, window, state.spec);
  }

  /** The evidence now, for every variant that a device runs. */
  evidence(state: RolloutState): Evidence {
    const metrics = metricsOf(state.spec);
    return Object.fromEntries(
      Object.keys(state.variants).map((variantId): [string, VariantEvidence] => {
        const devices = [...state.devices.values()].filter((one) => one.variantId === variantId);
        const treated = devices.filter(({ status }) => status === 'active');
        const controls = devices.filter(({ status }) => status === 'control');
        const evidence = metrics.map((metric) => [
          metric,
          metric === 'accuracy'
            ? this.accuracyOf(treated, controls, state.spec)
            : this.figuresOf(treated, metric, state),
        ]);
        return [variantId, Object.fromEntries(evidence) as VariantEvidence];
      }),
    );
  }

  private isTreated(window: MeasuredWindow, device: DeviceRecord): boolean {
    return (
      device.status === 'active' &&
      window.from >= device.since &&
      window.releaseId === this.releaseId &&
      window.variantId === device.variantId
    );
  }

  private takeBaseline(window: MeasuredWindow, device: DeviceRecord): void {
    const { before } = this.accountOf(device);
    before.labels += window.labelled;
    before.correct += window.correct;
    before.windows += 1;
    before.latencyMs += window.latencyP95Ms ?? 0;
    before.rssBytes += window.rssBytes;
  }

  private takeLabels(account: Account, window: MeasuredWindow, startedAt: number): void {
    while ((window.from - startedAt) / this.blockMs >= MOST_BLOCKS) this.doubleBlocks();
    const number = Math.floor((window.from - startedAt) / this.blockMs);
    const block = account.blocks.get(number) ?? { labels: 0, correct: 0 };
    block.labels += window.labelled;
    block.correct += window.correct;
    account.blocks.set(number, block);
  }

  private doubleBlocks(): void {
    this.blockMs *= 2;
    for (const account of this.accounts.values()) {
      const merged: Account['blocks'] = new Map();
      for (const [number, { labels, correct }] of account.blocks) {
        const half = Math.floor(number / 2);
        const block = merged.get(half) ?? { labels: 0, correct: 0 };
        merged.set(half, {
          labels: block.labels + labels,
          correct: block.correct + correct,
        });
      }
      account.blocks = merged;
    }
  }

  private accountOf(device: DeviceRecord): Account {
    const known = this.accounts.get(device.deviceId);
    if (known) return known;
    const account: Account = {
      before: { labels: 0, correct: 0, windows: 0, latencyMs: 0, rssBytes: 0 },
      ...freshSide(device.variantId),
    };
    this.accounts.set(device.deviceId, account);
    return account;
  }

  private accuracyOf(
    treated: readonly DeviceRecord[],
    controls: readonly DeviceRecord[],
    spec: RolloutSpec,
  ): VariantEvidence['accuracy'] {
    const comparison = new ChangeComparison(spec.gate.accuracy?.deviceShift ?? 0);
    const blocks = new Map<number, ({ index: number } & Labelled)[]>();
    const arms = { treated: 0, control: 0 };
    for (const [arm, devices] of [['treated', treated] as const, ['control', controls] as const]) {
      for (const { deviceId, variantId } of devices) {
        const account = this.accounts.get(deviceId);
        if (!account || account.before.labels < MIN_BASELINE) continue;
        if (account.variantId !== variantId) continue;
        const index = comparison.addDevice(arm, account.before);
        arms[arm] += 1;
        for (const [number, block] of account.blocks) {
          const cells = blocks.get(number) ?? [];
          cells.push({ index, ...block });
          blocks.set(number, cells);
        }
      }
    }
    if (arms.treated > 0 && arms.control > 0) {
      for (const [number, cells] of blocks) comparison.addBlock(number, cells);
      const estimate = comparison.estimate();
      return estimate && { compared: 'with-control', ...estimate };
    }
    const level = estimateLevel(
      treated.map(({ deviceId, variantId }) => {
        const account = this.accounts.get(deviceId);
        const own = account?.variantId === variantId ? [...account.blocks.values()] : [];
        return {
          labels: own.reduce((sum, { labels }) => sum + labels, 0),
          correct: own.reduce((sum, { correct }) => sum + correct, 0),
        };
      }),
      CORRELATION,
    );
    return level && { compared: 'no-control', ...level };
  }

  private figuresOf(
    treated: readonly DeviceRecord[],
    metric: DeviceMetric,
    state: RolloutState,
  ): VariantEvidence[DeviceMetric] {
    const accounts = treated.map(({ deviceId, variantId }) => {
      const account = this.accounts.get(deviceId);
      return account?.variantId === variantId ? account : undefined;
    });
    if (accounts.length === 0) return null;
    if (metric !== 'restarts') {
      const windows = accounts.map(
        (account): Windows => account?.[metric] ?? { windows: 0, over: 0 },
      );
      return sortByWindows(windows, errorOf(state, state.stage, metric));
    }
    const most = state.spec.gate.restarts?.maxPerDevice ?? 0;
    const sorted = { over: 0, within: 0, unknown: 0 };
    for (const account of accounts) {
      if (!account?.restarts) sorted.unknown += 1;
      else if (account.restarts.last - account.restarts.first > most) sorted.over += 1;
      else sorted.within += 1;
    }
    return sorted;
  }
}

const freshSide = (variantId: string): Omit<Account, 'before'> => ({
  variantId,
  blocks: new Map(),
  latency: { windows: 0, over: 0 },
  memory: { windows: 0, over: 0 },
  restarts: null,
});

const runsAsBefore = ({ modelSha256 }: MeasuredWindow, { previous }: DeviceRecord): boolean =>
  modelSha256 === previous?.modelSha256;

function takeFigures(account: Account, window: MeasuredWindow, { gate }: RolloutSpec): void {
  const { before } = account;
  const usual = (sum: number, ratio: number | undefined): number =>
    ratio === undefined || before.windows === 0
      ? Number.POSITIVE_INFINITY
      : (sum / before.windows) * ratio;
  if (gate.latency && window.latencyP95Ms !== null) {
    const limit = Math.min(
      gate.latency.maxP95Ms ?? Number.POSITIVE_INFINITY,
      usual(before.latencyMs, gate.latency.maxRatio),
    );
    count(account.latency, window.latencyP95Ms, limit);
  }
  if (gate.memory) {
    const limit = Math.min(
      (gate.memory.maxRssMiB ?? Number.POSITIVE_INFINITY) * MEBIBYTE,
      usual(before.rssBytes, gate.memory.maxRatio),
    );
    count(account.memory, window.rssBytes, limit);
  }
  const first = Math.min(account.restarts?.first ?? window.restarts, window.restarts);
  const last = Math.max(account.restarts?.last ?? window.restarts, window.restarts);
  account.restarts = { first, last };
}

/** A limit that is not known, as of a device without a baseline, leaves the device unknown. */
function count(tested: Tested, value: number, limit: number): void {
  if (limit === Number.POSITIVE_INFINITY) return;
  tested.windows += 1;
  if (value > limit) tested.over += 1;
}
