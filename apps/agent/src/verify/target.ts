import type {
  Failure,
  Release,
  Root,
  Target,
  TargetMessage,
  Timestamp,
  Variant,
} from '@espalier/protocol';
import { assertManifest, manifestSha256 } from '@espalier/delivery';
import { advanceRoot, assertFresh, assertNotLower, verifySigned } from '@espalier/trust';
import { AgentError, failureOf } from '../errors.js';

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
 * @throws TrustError when a document is not signed, or the target is older than the present one
 * @throws AgentError TARGET_DEVICE when the target is another device's, TARGET_RELEASE when the
 * release does not hold what the target names
 */
export function authenticate(message: TargetMessage, known: Known): AuthenticTarget {
  const root = advanceRoot(known.root, message.root);
  const timestamp = verifySigned(message.timestamp, 'timestamp', root);
  const target = verifySigned(message.target, 'target', root);
  const release = verifySigned(message.release, 'release', root);
  if (target.deviceId !== known.deviceId) {
    throw new AgentError(
      'TARGET_DEVICE',
      `The target is for device ${target.deviceId}; this is ${known.deviceId}.`,
    );
  }
  assertNotLower('generation', known.generation, target.generation);
  return { root, timestamp, target, release, variant: variantOf(target, release) };
}

/**
 * Judges an authentic target against what the device knows.
 * @returns the variant to install, or why the target is refused
 */
export function judge(
  message: TargetMessage,
  authentic: AuthenticTarget,
  known: Known,
): { readonly variant: Variant } | { readonly failure: Failure } {
  try {
    assertCurrent(authentic, known);
    assertSignedManifest(message, authentic.variant);
    return { variant: authentic.variant };
  } catch (error) {
    return { failure: failureOf(error) };
  }
}

function assertCurrent({ root, timestamp, target, release }: AuthenticTarget, known: Known): void {
  for (const document of [root, timestamp, target, release]) assertFresh(document, known.nowMs);
  assertNotLower('timestamp version', known.timestampVersion, timestamp.version);
  assertNotLower('root version', timestamp.rootVersion, root.version);
  assertNotLower('epoch', known.epoch, target.epoch);
}

function variantOf(target: Target, release: Release): Variant {
  const variant = release.variants.find(({ id }) => id === target.variantId);
  if (!variant || release.id !== target.releaseId || variant.model.sha256 !== target.modelSha256) {
    throw new AgentError(
      'TARGET_RELEASE',
      `The target names variant ${target.variantId} of release ${target.releaseId}, which the release ${release.id} does not hold as named.`,
    );
  }
  return variant;
}

function assertSignedManifest({ manifest }: TargetMessage, { artifact }: Variant): void {
  if (
    manifestSha256(manifest) !== artifact.manifestSha256 ||
    manifest.sha256 !== artifact.sha256 ||
    manifest.length !== artifact.length
  ) {
    throw new AgentError('TARGET_MANIFEST', 'The chunk manifest is not the one that was signed.');
  }
  assertManifest(manifest);
}
