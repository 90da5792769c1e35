import type { Release, Root, Target, TargetMessage, Timestamp, Variant } from '@espalier/protocol';
import { TrustError } from './errors.js';
import { assertFresh, assertNotLower } from './freshness.js';
import { followRoots } from './root-chain.js';
import { verifySigned } from './roles.js';

/** What the device holds true before it looks at a message. */
export interface Known {
  readonly deviceId: string;
  readonly root: Root;
  readonly generation: number;
  readonly epoch: number;
  readonly timestampVersion: number;
  /** The later of the clock and the latest time seen, milliseconds since 1970. */
  readonly nowMs: number;
}

/** A message whose every document is signed by whom the root names. */
export interface AuthenticTarget {
  readonly root: Root;
  readonly timestamp: Timestamp;
  readonly target: Target;
  readonly release: Release;
  /** The variant of the release that the target names. */
  readonly variant: Variant;
}

/**
 * Checks the signatures of a message, and parses nothing that has not been verified.
 * @throws TrustError TARGET_DEVICE when the target is another device's, TARGET_RELEASE when the
 * release does not hold what the target names; others when a document is not signed, or the target
 * is older than the present one
 */
export function authenticateTarget(message: TargetMessage, known: Known): AuthenticTarget {
  const root = followRoots(known.root, message.formerRoots ?? [], message.root);
  const timestamp = verifySigned(message.timestamp, 'timestamp', root);
  const target = verifySigned(message.target, 'target', root);
  const release = verifySigned(message.release, 'release', root);
  if (target.deviceId !== known.deviceId) {
    throw new TrustError(
      'TARGET_DEVICE',
      `The target is for device ${target.deviceId}; this is ${known.deviceId}.`,
    );
  }
  assertNotLower('generation', known.generation, target.generation);
  return { root, timestamp, target, release, variant: variantOf(target, release) };
}

/**
 * Refuses an authentic target whose documents have expired or are older than others seen before.
 * @throws TrustError TRUST_EXPIRED, TRUST_ROLLBACK
 */
export function assertCurrent(authentic: AuthenticTarget, known: Known): void {
  const { root, timestamp, target, release } = authentic;
  for (const document of [root, timestamp, target, release]) assertFresh(document, known.nowMs);
  assertNotLower('timestamp version', known.timestampVersion, timestamp.version);
  assertNotLower('root version', timestamp.rootVersion, root.version);
  assertNotLower('epoch', known.epoch, target.epoch);
}

function variantOf(target: Target, release: Release): Variant {
  const variant = release.variants.find(({ id }) => id === target.variantId);
  if (!variant || release.id !== target.releaseId || variant.model.sha256 !== target.modelSha256) {
    throw new TrustError(
      'TARGET_RELEASE',
      `The target names variant ${target.variantId} of release ${target.releaseId}, which the release ${release.id} does not hold as named.`,
    );
  }
  return variant;
}
