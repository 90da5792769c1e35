import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { compressionReportSchema, type CompressionReport } from '@espalier/compression';
import { candidateCostsSchema, type CandidateCosts } from '@espalier/tuning';
import { notFound, ServerError } from '../errors.js';
import type { Candidate, Model } from '../generated/prisma/client.js';
import { Database, type Transaction } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { BlobStore, type Blob } from './blob-store.js';
import { runCompression } from './compression-process.js';
import { filesOf, ModelBounds } from './model-bounds.js';
import { candidateSchema, type CandidateView, type ModelView } from './schemas.js';

const INSPECT_MS = 300_000;

/** What a model is uploaded with. */
export interface ModelFiles {
  readonly model: Blob;
  readonly calibration: Blob;
  readonly evaluation: Blob | null;
  readonly card: unknown;
}

/** The trained models, and the candidates that were made of them. */
@Injectable()
export class Library {
  constructor(
    private readonly database: Database,
    private readonly blobs: BlobStore,
    private readonly bounds: ModelBounds,
  ) {}

  /**
   * Checks and records an uploaded model; the same files under the same name are the same model.
   * @throws ServerError MODELS_FULL; CompressionFailed with the code of what is wrong in the model,
   *   the data or the card
   */
  async add(name: string, files: ModelFiles): Promise<ModelView> {
    const { model, calibration, evaluation, card } = files;
    const identity = [
      name,
      model.sha256,
      calibration.sha256,
      evaluation?.sha256,
      JSON.stringify(card),
    ];
    const id = `m-${createHash('sha256').update(identity.join('\n')).digest('hex').slice(0, 16)}`;
    const known = await this.database.read.model.findUnique({ where: { id } });
    if (known) return viewOf(known);
    const hashes = {
      sha256: model.sha256,
      calibrationSha256: calibration.sha256,
      evaluationSha256: evaluation?.sha256 ?? null,
    };
    await this.bounds.refuseFull(hashes);
    const { inspection } = await runCompression(
      {
        type: 'inspect',
        modelPath: this.blobs.path(model.sha256),
        calibrationPath: this.blobs.path(calibration.sha256),
        evaluationPath: evaluation ? this.blobs.path(evaluation.sha256) : null,
        card,
      },
      () => undefined,
      AbortSignal.timeout(INSPECT_MS),
    );
    const data = {
      id,
      name,
      ...hashes,
      bytes: model.bytes,
      ...(card === null ? {} : { card: toJson(card) }),
      inspection: toJson(inspection),
      createdAt: new Date(),
    };
    const row = await this.database.write((transaction) =>
      transaction.model.upsert({ where: { id }, create: data, update: {} }),
    );
    return viewOf(row);
  }

  /**
   * Deletes a model with its candidates, jobs and plans, unless something still rests on it.
   * @returns hashes of the files that they had; others may have the same
   * @throws ServerError NOT_FOUND, MODEL_IN_USE
   */
  remove(id: string): Promise<string[]> {
    return this.database.write(async (transaction) => {
      const row = await transaction.model.findUnique({
        where: { id },
        include: { candidates: { select: { modelSha256: true, artifactSha256: true } } },
      });
      if (!row) throw notFound(`model ${id}`);
      await refuseInUse(transaction, id);
      const where = { modelId: id };
      await transaction.candidate.deleteMany({ where });
      await transaction.job.deleteMany({ where });
      await transaction.plan.deleteMany({ where });
      await transaction.model.delete({ where: { id } });
      return [
        ...filesOf(row),
        ...row.candidates.flatMap(({ modelSha256, artifactSha256 }) => [
          modelSha256,
          artifactSha256,
        ]),
      ];
    });
  }

  async list(): Promise<{ models: ModelView[] }> {
    const rows = await this.database.read.model.findMany({
      orderBy: [{ createdAt: 'desc' }, { id: 'asc' }],
      take: 1000,
    });
    return { models: rows.map(viewOf) };
  }

  /** @throws ServerError NOT_FOUND */
  async get(id: string): Promise<ModelView> {
    const row = await this.database.read.model.findUnique({ where: { id } });
    if (!row) throw notFound(`model ${id}`);
    return viewOf(row);
  }

  /** Every candidate of a model, the largest first. @throws ServerError NOT_FOUND */
  async candidates(modelId: string): Promise<CandidateView[]> {
    await this.get(modelId);
    const rows = await this.database.read.candidate.findMany({
      where: { modelId },
      orderBy: [{ modelBytes: 'desc' }, { id: 'asc' }],
    });
    return rows.map(candidateViewOf);
  }

  /** Every candidate of a model as planning takes it. @throws ServerError NOT_FOUND */
  async planned(
    modelId: string,
  ): Promise<{ id: string; report: CompressionReport; costs: CandidateCosts }[]> {
    await this.get(modelId);
    const rows = await this.database.read.candidate.findMany({
      where: { modelId },
      orderBy: { id: 'asc' },
    });
    return rows.map(({ id, report, costs }) => ({
      id,
      report: fromJson(compressionReportSchema, report),
      costs: fromJson(candidateCostsSchema, costs),
    }));
  }
}

async function refuseInUse(
  { release, job, shadowPolicy }: Transaction,
  modelId: string,
): Promise<void> {
  const state = { in: ['queued', 'running'] };
  const uses = [
    [await release.count({ where: { modelId } }), 'releases were made of it, which are kept'],
    [await job.count({ where: { modelId, state } }), 'it is being compressed; cancel that first'],
    [
      await shadowPolicy.count({ where: { modelId } }),
      'it judges shadow samples; stop these first',
    ],
  ] as const;
  const use = uses.find(([count]) => count > 0);
  if (use) throw new ServerError('MODEL_IN_USE', 409, `Model ${modelId} stays: ${use[1]}.`);
}

function viewOf(row: Model): ModelView {
  return {
    id: row.id,
    name: row.name,
    sha256: row.sha256,
    bytes: Number(row.bytes),
    calibrationSha256: row.calibrationSha256,
    evaluationSha256: row.evaluationSha256,
    card: row.card,
    inspection: row.inspection,
    createdAt: row.createdAt.toISOString(),
  };
}

function candidateViewOf(row: Candidate): CandidateView {
  return candidateSchema.parse({
    id: row.id,
    modelId: row.modelId,
    jobId: row.jobId,
    report: row.report,
    model: { sha256: row.modelSha256, bytes: Number(row.modelBytes) },
    artifact: {
      sha256: row.artifactSha256,
      bytes: Number(row.artifactBytes),
      encoding: row.encoding,
    },
    createdAt: row.createdAt.toISOString(),
  });
}
