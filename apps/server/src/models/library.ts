import { createHash } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { compressionReportSchema, type CompressionReport } from '@espalier/compression';
import { candidateCostsSchema, type CandidateCosts } from '@espalier/tuning';
import { notFound } from '../errors.js';
import type { Candidate, Model } from '../generated/prisma/client.js';
import { Database } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { BlobStore, type Blob } from './blob-store.js';
import { runCompression } from './compression-process.js';
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
  ) {}

  /**
   * Checks and records an uploaded model; the same files under the same name are the same model.
   * @throws CompressionFailed with the code of what is wrong in the model, the data or the card
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
      sha256: model.sha256,
      bytes: model.bytes,
      calibrationSha256: calibration.sha256,
      evaluationSha256: evaluation?.sha256 ?? null,
      ...(card === null ? {} : { card: toJson(card) }),
      inspection: toJson(inspection),
      createdAt: new Date(),
    };
    const row = await this.database.write((transaction) =>
      transaction.model.upsert({ where: { id }, create: data, update: {} }),
    );
    return viewOf(row);
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
