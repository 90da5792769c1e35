import type { ReportPayload } from '@espalier/protocol';
import { signReport, type KeyPair } from '@espalier/trust';
import type { Running } from '../run/running.js';
import type { Install } from '../store/agent-state.js';

/** What runs, as the protocol says it. */
export const runningOf = (running: Running | null): ReportPayload['running'] =>
  running && {
    releaseId: running.releaseId,
    variantId: running.variantId,
    modelSha256: running.modelSha256,
  };

/** The signed body of a report on an install. */
export function reportBody(
  install: Install,
  context: {
    readonly deviceId: string;
    readonly key: KeyPair;
    readonly running: Running | null;
    readonly receivedBytes: number;
    readonly at: Date;
  },
): object {
  const { generation, releaseId, variant, state, loadedSha256, probe, failure } = install;
  const payload: ReportPayload = {
    type: 'report',
    deviceId: context.deviceId,
    generation,
    releaseId,
    variantId: variant.id,
    state,
    loadedSha256,
    probe,
    running: runningOf(context.running),
    failure,
    receivedBytes: context.receivedBytes,
    at: context.at.toISOString(),
  };
  return { report: signReport(payload, context.key) };
}
