import { LIMITS, type Manifest, type Release, type Variant } from '@espalier/protocol';
import { manifestOf, manifestSha256 } from '@espalier/delivery';
import { ServerError } from '../errors.js';
import type { CandidateView } from '../models/schemas.js';

const RELEASE_DAYS = 730;
const SMALLEST_CHUNK = 4096;
const CHUNKS_AIMED_AT = 64;

/** Chunk size for an artifact: a power of two, so that even a small one has several. */
export function chunkSizeFor(length: number): number {
  const wanted = 2 ** Math.ceil(Math.log2(Math.max(length / CHUNKS_AIMED_AT, 1)));
  return Math.min(Math.max(wanted, SMALLEST_CHUNK), LIMITS.chunkBytes);
}

/** A candidate as a variant of a release, with its chunk manifest. */
export function variantOf(
  candidate: CandidateView,
  artifact: Uint8Array,
  card: unknown,
): { variant: Variant; manifest: Manifest } {
  const { variant: figures } = candidate.report;
  const manifest = manifestOf(artifact, chunkSizeFor(artifact.byteLength));
  return {
    manifest,
    variant: {
      id: candidate.id,
      artifact: {
        sha256: manifest.sha256,
        length: manifest.length,
        encoding: candidate.artifact.encoding,
        manifestSha256: manifestSha256(manifest),
      },
      model: { sha256: candidate.model.sha256, length: candidate.model.bytes },
      peakRamBytes: figures.peakRamBytes,
      precision: figures.precision,
      session: { threads: 1, optimization: 'all' },
      card,
    },
  };
}

/**
 * The unsigned release document.
 * @throws ServerError PLAN_EMPTY, RELEASE_MISMATCH when it holds too many variants
 */
export function releaseOf(
  id: string,
  model: string,
  version: number,
  variants: readonly Variant[],
  now: number,
): Release {
  if (variants.length === 0) {
    throw new ServerError(
      'PLAN_EMPTY',
      422,
      `The plan for ${model} gives no device a variant, so there is nothing to release; GET the plan for each device's reasons, then raise budgets or make smaller candidates and plan again.`,
    );
  }
  if (variants.length > LIMITS.variantsPerRelease) {
    throw new ServerError(
      'RELEASE_MISMATCH',
      422,
      `The plan uses ${variants.length} variants; a release holds at most ${LIMITS.variantsPerRelease}.`,
    );
  }
  return {
    type: 'release',
    id,
    model,
    version,
    issued: new Date(now).toISOString(),
    expires: new Date(now + RELEASE_DAYS * 86_400_000).toISOString(),
    variants: [...variants],
  };
}
