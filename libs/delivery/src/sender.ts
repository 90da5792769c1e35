import { LIMITS, type Manifest, type Need } from '@espalier/protocol';

/** Why a `need` is not answered. */
export type NeedRefusal =
  'NEED_GENERATION' | 'NEED_ARTIFACT' | 'NEED_CHUNK_COUNT' | 'NEED_INDEX' | 'NEED_BITMAP';

/** What to send for a `need`. */
export type NeedAnswer =
  | { readonly kind: 'send'; readonly indices: readonly number[] }
  | { readonly kind: 'refuse'; readonly code: NeedRefusal };

/**
 * Decides what to answer to a device's `need`: each index once, in the order asked, without those
 * already queued for it, and no more than one window in all.
 * @param current what the device shall get now; null: nothing, as after a halt
 * @param queued indices that wait to be sent to this device
 */
export function answerNeed(
  need: Need,
  current: { readonly generation: number; readonly manifest: Manifest } | null,
  queued: ReadonlySet<number> = new Set(),
  window: number = LIMITS.chunksPerNeed,
): NeedAnswer {
  if (!current || need.generation !== current.generation) return refuse('NEED_GENERATION');
  const { manifest } = current;
  if (need.artifactSha256 !== manifest.sha256) return refuse('NEED_ARTIFACT');
  if (need.chunkCount !== manifest.chunks.length) return refuse('NEED_CHUNK_COUNT');
  if (need.indices.some((index) => index >= manifest.chunks.length)) return refuse('NEED_INDEX');
  const fresh = [...new Set(need.indices)].filter((index) => !queued.has(index));
  return { kind: 'send', indices: fresh.slice(0, Math.max(0, window - queued.size)) };
}

const refuse = (code: NeedRefusal): NeedAnswer => ({ kind: 'refuse', code });
