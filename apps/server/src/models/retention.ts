import { Inject, Injectable } from '@nestjs/common';
import { z } from 'zod';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { ServerError } from '../errors.js';
import type { Candidate } from '../generated/prisma/client.js';
import { Database, type Transaction } from '../persistence/database.js';
import { BlobStore } from './blob-store.js';

/** Looked at in one write, so that others get their turn. */
const AT_ONCE = 50;

const countSchema = z.object({ count: z.coerce.number() });
const heldSchema = z.object({
  count: z.coerce.number(),
  bytes: z.coerce.number().nullable(),
});

/** Tables with documents that name candidates, each in quotes; a rollout is always one of a release. */
const REFERRING = ['Plan', 'Release'] as const;

type Bounds = Pick<Configuration, 'maxCandidates' | 'maxCandidateBytes' | 'maxFinishedJobs'>;

/**
 * Keeps what compressions gave within a number and a number of bytes: the oldest candidates go first,
 * and none that a plan, release, rollout or policy names. Jobs that are over go by number alone.
 */
@Injectable()
export class Retention {
  constructor(
    private readonly database: Database,
    private readonly blobs: BlobStore,
    @Inject(CONFIGURATION) private readonly bounds: Bounds,
  ) {}

  /** @throws ServerError CANDIDATES_FULL when what is in use fills the bound by itself */
  async refuseFull(): Promise<void> {
    if ((await this.excess()) === null) return;
    await this.apply();
    if ((await this.excess()) === null) return;
    const { maxCandidates, maxCandidateBytes } = this.bounds;
    throw new ServerError(
      'CANDIDATES_FULL',
      507,
      `${maxCandidates} candidates or ${maxCandidateBytes} bytes of them are in use by plans and releases; raise MAX_CANDIDATES or MAX_CANDIDATE_MIB.`,
    );
  }

  /**
   * Deletes the oldest candidates that nothing names until the rest keeps the bounds.
   * @param jobId whose candidates stay, however old
   * @returns how many went
   */
  async apply(jobId = ''): Promise<number> {
    let removed = 0;
    let after: Pick<Candidate, 'createdAt' | 'id'> = { createdAt: new Date(0), id: '' };
    for (;;) {
      if ((await this.excess()) === null) return removed;
      const oldest = await this.database.read.candidate.findMany({
        where: {
          jobId: { not: jobId },
          OR: [
            { createdAt: { gt: after.createdAt } },
            { createdAt: after.createdAt, id: { gt: after.id } },
          ],
        },
        orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
        take: AT_ONCE,
      });
      for (const candidate of oldest) {
        if ((await this.excess()) === null) return removed;
        if (await this.remove(candidate)) removed += 1;
      }
      const last = oldest.at(-1);
      if (!last || oldest.length < AT_ONCE) return removed;
      after = last;
    }
  }

  /** Forgets jobs that were over first, beyond the number that is remembered, some at a time. */
  async forgetJobs(): Promise<void> {
    const beyond = await this.database.read.job.findMany({
      where: { finishedAt: { not: null } },
      orderBy: [{ finishedAt: 'desc' }, { id: 'asc' }],
      select: { id: true },
      skip: this.bounds.maxFinishedJobs,
      take: AT_ONCE,
    });
    if (beyond.length === 0) return;
    await this.database.write((transaction) =>
      transaction.job.deleteMany({ where: { id: { in: beyond.map(({ id }) => id) } } }),
    );
  }

  /** Deletes files that were taken in and belong to nothing, as those of a refused upload. */
  async forget(hashes: readonly string[]): Promise<void> {
    for (const sha256 of new Set(hashes)) {
      const isUsed = await this.database.write((transaction) => isNamed(transaction, sha256));
      if (!isUsed) await this.blobs.remove(sha256);
    }
  }

  private async remove({ id, modelSha256, artifactSha256 }: Candidate): Promise<boolean> {
    const isGone = await this.database.write(async (transaction) => {
      if (await isReferred(transaction, id)) return false;
      await transaction.candidate.delete({ where: { id } });
      return true;
    });
    if (isGone) await this.forget([modelSha256, artifactSha256]);
    return isGone;
  }

  /** What is held, where that is more than the bounds. */
  private async excess(): Promise<{ count: number; bytes: number } | null> {
    const [held] = await this.database.read.sql.all(
      heldSchema,
      'SELECT COUNT(*) AS "count", SUM("modelBytes" + "artifactBytes") AS "bytes" FROM "Candidate"',
      [],
    );
    const [count, bytes] = [held?.count ?? 0, held?.bytes ?? 0];
    const { maxCandidates, maxCandidateBytes } = this.bounds;
    return count > maxCandidates || bytes > maxCandidateBytes ? { count, bytes } : null;
  }
}

async function isReferred({ sql, tunedDevice }: Transaction, id: string): Promise<boolean> {
  if ((await tunedDevice.count({ where: { candidateId: id } })) > 0) return true;
  for (const table of REFERRING) {
    const [named] = await sql.all(
      countSchema,
      `SELECT COUNT(*) AS "count" FROM "${table}" WHERE CAST("document" AS TEXT) LIKE ?`,
      [`%"${id}"%`],
    );
    if ((named?.count ?? 0) > 0) return true;
  }
  return false;
}

async function isNamed({ candidate, model }: Transaction, sha256: string): Promise<boolean> {
  const models = await model.count({
    where: {
      OR: [{ sha256 }, { calibrationSha256: sha256 }, { evaluationSha256: sha256 }],
    },
  });
  if (models > 0) return true;
  return (
    (await candidate.count({
      where: { OR: [{ modelSha256: sha256 }, { artifactSha256: sha256 }] },
    })) > 0
  );
}
