import { DriftWatch, EvidenceError, WindowSketch, type FleetWatch } from '@espalier/evidence';
import type { Reference } from './references.js';
import type { StoredWindow } from './windows.js';

const DAY_SECONDS = 86_400;
const DAY_MS = 1000 * DAY_SECONDS;
/** Shorter windows are taken together until they cover so much. */
const STEP_SECONDS = 60;
/** They are taken after so long, however little they cover. */
const PATIENCE_MS = 120_000;
/** Evidence that counts for an alarm of any fleet: beyond it, it is only remembered that it is much. */
const MOST_DAYS = 10_000_000;

/** What is stored of a stream. */
export interface StoredStream {
  readonly deviceId: string;
  readonly releaseId: string;
  readonly variantId: string;
  /** The last window that is in it. */
  readonly windowId: number;
  readonly evidenceDays: number;
  readonly family: string | null;
  readonly at: Date;
  readonly state: string;
}

/** What a device serves with one variant, watched for drift. Windows that it has taken do nothing again. */
export class DriftStream {
  #pending: WindowSketch | null = null;
  #pendingSeconds = 0;
  #firstPending: StoredWindow | null = null;
  #lastPending: StoredWindow | null = null;

  private constructor(
    readonly deviceId: string,
    readonly releaseId: string,
    readonly variantId: string,
    private readonly reference: Reference,
    private readonly watch: DriftWatch,
    private taken: { windowId: number; evidenceDays: number; family: string | null; at: Date },
  ) {}

  static begin(first: StoredWindow, reference: Reference): DriftStream {
    const { releaseId, variantId } = first.body.running;
    const watch = new DriftWatch(reference.bets, MOST_DAYS);
    const taken = { windowId: first.id - 1, evidenceDays: 0, family: null, at: first.receivedAt };
    return new DriftStream(first.deviceId, releaseId, variantId, reference, watch, taken);
  }

  /** Goes on with what was stored; anew, where that is of another reference. */
  static restore(stored: StoredStream, reference: Reference): DriftStream {
    const { deviceId, releaseId, variantId } = stored;
    const make = (watch: DriftWatch, taken: StoredStream): DriftStream =>
      new DriftStream(deviceId, releaseId, variantId, reference, watch, { ...taken });
    try {
      return make(DriftWatch.restore(reference.bets, MOST_DAYS, stored.state), stored);
    } catch (cause) {
      if (!(cause instanceof EvidenceError)) throw cause;
      const watch = new DriftWatch(reference.bets, MOST_DAYS);
      return make(watch, { ...stored, evidenceDays: 0, family: null });
    }
  }

  /** The first window that is not yet in what is stored; null: all are. */
  get firstPendingId(): number | null {
    return this.#firstPending?.id ?? null;
  }

  /** The last window that it has taken, whether it waits or not. */
  get lastId(): number {
    return this.#lastPending?.id ?? this.taken.windowId;
  }

  get evidenceDays(): number {
    return this.taken.evidenceDays;
  }

  get family(): string | null {
    return this.taken.family;
  }

  get at(): Date {
    return this.taken.at;
  }

  /** Whether a window is of what this stream watches. */
  isOf({ releaseId, variantId }: { releaseId: string; variantId: string }): boolean {
    return releaseId === this.releaseId && variantId === this.variantId;
  }

  /** Takes a window. @returns whether what is to be stored has changed */
  take(window: StoredWindow, fleet: FleetWatch): boolean {
    if (window.id <= this.lastId || !window.sketch) return false;
    this.#pending ??= new WindowSketch();
    this.#pending.merge(window.sketch);
    this.#pendingSeconds += window.seconds;
    this.#firstPending ??= window;
    this.#lastPending = window;
    return this.#pendingSeconds >= STEP_SECONDS && this.step(fleet);
  }

  /** Whether windows have waited too long for others. */
  isDue(now: Date): boolean {
    const first = this.#firstPending;
    return first !== null && now.getTime() - first.receivedAt.getTime() > PATIENCE_MS;
  }

  /** Takes what waits. @returns whether there was anything */
  step(fleet: FleetWatch): boolean {
    const [pending, last] = [this.#pending, this.#lastPending];
    if (!pending || !last) return false;
    const counted = this.reference.bets.count(pending);
    const days = this.#pendingSeconds / DAY_SECONDS;
    const verdict = this.watch.takeCounted(pending, counted, days);
    if (verdict.judges) {
      const at = last.receivedAt.getTime() / DAY_MS;
      fleet.take(this.deviceId, counted, verdict.itemsAsOne, at);
    }
    const { evidenceDays, family } = verdict;
    this.taken = { windowId: last.id, evidenceDays, family, at: last.receivedAt };
    this.#pending = null;
    this.#pendingSeconds = 0;
    this.#firstPending = null;
    this.#lastPending = null;
    return true;
  }

  /** What is to be stored: all but the windows that wait. */
  stored(): StoredStream {
    const { deviceId, releaseId, variantId } = this;
    return { deviceId, releaseId, variantId, ...this.taken, state: this.watch.state() };
  }
}
