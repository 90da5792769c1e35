import { Injectable } from '@nestjs/common';
import { telemetrySchema } from '@espalier/protocol';
import { EvidenceLedger, metricsOf, type Evidence, type RolloutState } from '@espalier/rollout';
import type { TelemetryWindow } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { fromJson } from '../persistence/json.js';
import { LIVE } from './rollout-store.js';

const BASELINE_MS = 7 * 86_400_000;
const EVERY_MS = 1_000;
const PAGE = 1_000;
const LEDGERS_KEPT = 32;

interface Kept {
  readonly ledger: EvidenceLedger;
  lastId: number;
  readAt: number;
  state: RolloutState | null;
  evidence: Evidence;
}

/**
 * Reads stored telemetry into the evidence of each running rollout: once from the baseline on, as
 * after a restart, and then what is new. Windows are placed by when they arrived, so that a device's
 * clock decides nothing.
 */
@Injectable()
export class RolloutEvidence {
  private readonly kept = new Map<string, Kept>();

  constructor(private readonly database: Database) {}

  /** What was measured until now; null where no gate asks for it, or nothing is under way. */
  async of(state: RolloutState, releaseId: string, now: number): Promise<Evidence | null> {
    const { startedAt, status } = state;
    if (startedAt === null || !LIVE.includes(status) || metricsOf(state.spec).length === 0) {
      return null;
    }
    const kept = this.keep(state.id, releaseId);
    if (now - kept.readAt >= EVERY_MS) {
      const news = await this.read(kept, state, startedAt);
      kept.readAt = now;
      if (news || kept.state !== state) kept.evidence = kept.ledger.evidence(state);
      kept.state = state;
    }
    return kept.evidence;
  }

  private keep(rolloutId: string, releaseId: string): Kept {
    const kept = this.kept.get(rolloutId) ?? {
      ledger: new EvidenceLedger(releaseId),
      lastId: 0,
      readAt: 0,
      state: null,
      evidence: {},
    };
    this.kept.delete(rolloutId);
    this.kept.set(rolloutId, kept);
    const [oldest] = this.kept.keys();
    if (this.kept.size > LEDGERS_KEPT && oldest !== undefined) this.kept.delete(oldest);
    return kept;
  }

  /** @returns whether there was anything new */
  private async read(kept: Kept, state: RolloutState, startedAt: number): Promise<boolean> {
    const from = kept.lastId;
    for (let full = true; full;) {
      const rows = await this.database.read.telemetryWindow.findMany({
        where: {
          id: { gt: kept.lastId },
          ...(from === 0 ? { receivedAt: { gte: new Date(startedAt - BASELINE_MS) } } : {}),
        },
        orderBy: { id: 'asc' },
        take: PAGE,
      });
      for (const row of rows) take(kept.ledger, row, state);
      kept.lastId = rows.at(-1)?.id ?? kept.lastId;
      full = rows.length === PAGE;
    }
    return kept.lastId !== from;
  }
}

function take(ledger: EvidenceLedger, row: TelemetryWindow, state: RolloutState): void {
  if (!state.devices.has(row.deviceId)) return;
  const window = fromJson(telemetrySchema, row.body);
  const to = row.receivedAt.getTime();
  ledger.take(
    {
      deviceId: row.deviceId,
      releaseId: window.running.releaseId,
      variantId: window.running.variantId,
      modelSha256: window.running.modelSha256,
      from: to - Math.max(0, Date.parse(window.to) - Date.parse(window.from)),
      to,
      labelled: window.accuracy?.labelled ?? 0,
      correct: window.accuracy?.correct ?? 0,
      latencyP95Ms: window.latencyMs?.p95 ?? null,
      rssBytes: window.memory.rssBytes,
      restarts: window.restarts,
    },
    state,
  );
}
