import { assertSignedManifest, DeliveryError } from '@espalier/delivery';
import type { TargetMessage } from '@espalier/protocol';
import {
  assertCurrent,
  authenticateTarget,
  TrustError,
  type AuthenticTarget,
  type Known,
} from '@espalier/trust';
import { Download } from './download.js';
import type { Install, Memory } from './memory.js';

/** What an offered target leads to. */
export type Intake =
  | { readonly kind: 'dropped'; readonly code: string }
  | { readonly kind: 'known' }
  | { readonly kind: 'new'; readonly memory: Memory; readonly install: Install };

/** Decides about an offered target by the checks that every device makes. */
export function takeTarget(
  message: TargetMessage,
  memory: Memory,
  device: { readonly deviceId: string; readonly clockMs: number },
): Intake {
  const nowMs = Math.max(device.clockMs, memory.latestTimeMs);
  const { root, generation, epoch, timestampVersion } = memory;
  const { deviceId } = device;
  const known: Known = { deviceId, root, generation, epoch, timestampVersion, nowMs };
  try {
    const authentic = authenticateTarget(message, known);
    const { target, timestamp, variant } = authentic;
    assertSignedManifest(message.manifest, variant.artifact);
    const failure = unfitness(authentic, known);
    const { install } = memory;
    const isKnown = install?.generation === target.generation;
    if (isKnown && (install.state !== 'refused' || failure)) return { kind: 'known' };
    return {
      kind: 'new',
      memory: {
        ...memory,
        root: authentic.root,
        generation: target.generation,
        epoch: Math.max(epoch, target.epoch),
        timestampVersion: Math.max(timestampVersion, timestamp.version),
        latestTimeMs: Math.max(memory.latestTimeMs, Date.parse(timestamp.issued)),
      },
      install: {
        generation: target.generation,
        releaseId: target.releaseId,
        variant,
        state: failure ? 'refused' : 'accepted',
        failure,
        download: Download.fresh(message.manifest),
      },
    };
  } catch (error) {
    if (error instanceof TrustError || error instanceof DeliveryError) {
      return { kind: 'dropped', code: error.code };
    }
    throw error;
  }
}

function unfitness(authentic: AuthenticTarget, known: Known): Install['failure'] {
  try {
    assertCurrent(authentic, known);
    return null;
  } catch (error) {
    if (!(error instanceof TrustError)) throw error;
    return { code: error.code, message: error.message };
  }
}
