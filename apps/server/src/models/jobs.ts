import { createHash, randomUUID } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnModuleDestroy,
} from '@nestjs/common';
import { failureSchema } from '@espalier/protocol';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { notFound, ServerError } from '../errors.js';
import type { Job, Model } from '../generated/prisma/client.js';
import { EventStream } from '../http/event-stream.js';
import { Database } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { BlobStore, type Blob } from './blob-store.js';
import {
  candidatesRequestSchema,
  type CandidateFile,
  type CandidatesRequest,
} from './compression-messages.js';
import { CompressionFailed, runCompression } from './compression-process.js';
import { Retention } from './retention.js';
import { jobSchema, type JobView } from './schemas.js';

const QUEUE_LIMIT = 100;
const JOBS_LISTED = 20;
const PROGRESS_EVERY_MS = 250;

/** Compressions, one row each: queued, run in processes of their own, cancelled, resumed at start. */
@Injectable()
export class Jobs implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly logger = new Logger('jobs');
  private readonly running = new Map<string, { abort: AbortController; done: Promise<void> }>();
  private stopping = false;
  /** Results are stored one after another, so that none is let go while it comes again. */
  private recording: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly blobs: BlobStore,
    private readonly retention: Retention,
    private readonly events: EventStream,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  /** Begins again what an earlier server left unfinished. */
  async onApplicationBootstrap(): Promise<void> {
    await rm(this.workFolder(), { recursive: true, force: true });
    await this.database.write((transaction) =>
      transaction.job.updateMany({
        where: { state: 'running' },
        data: { state: 'queued', stage: 'waiting again after a restart', progress: 0 },
      }),
    );
    await this.fill();
  }

  /** Kills the processes; their jobs stay `running` in the database, and so begin again. */
  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    for (const { abort } of this.running.values()) abort.abort();
    await Promise.all([...this.running.values()].map(({ done }) => done));
  }

  /** @throws ServerError JOB_QUEUE_FULL, CANDIDATES_FULL */
  async queue(modelId: string, request: CandidatesRequest): Promise<JobView> {
    await this.retention.refuseFull();
    const waiting = await this.database.read.job.count({ where: { state: 'queued' } });
    if (waiting >= QUEUE_LIMIT) {
      throw new ServerError('JOB_QUEUE_FULL', 503, `${QUEUE_LIMIT} compressions are waiting.`);
    }
    const row = await this.database.write((transaction) =>
      transaction.job.create({
        data: {
          id: `job-${randomUUID()}`,
          kind: 'candidates',
          modelId,
          request: toJson(request),
          state: 'queued',
          stage: 'waiting',
          progress: 0,
          createdAt: new Date(),
        },
      }),
    );
    await this.fill();
    return viewOf(row);
  }

  /** The newest jobs of a model. */
  async of(modelId: string): Promise<{ jobs: JobView[] }> {
    const rows = await this.database.read.job.findMany({
      where: { modelId },
      orderBy: [{ createdAt: 'desc' }, { id: 'asc' }],
      take: JOBS_LISTED,
    });
    return { jobs: rows.map(viewOf) };
  }

  /** @throws ServerError NOT_FOUND */
  async get(id: string): Promise<JobView> {
    const row = await this.database.read.job.findUnique({ where: { id } });
    if (!row) throw notFound(`job ${id}`);
    return viewOf(row);
  }

  /** @throws ServerError NOT_FOUND, JOB_OVER */
  async cancel(id: string): Promise<JobView> {
    const job = await this.get(id);
    if (job.state !== 'queued' && job.state !== 'running') {
      throw new ServerError('JOB_OVER', 409, `Job ${id} is ${job.state} already.`);
    }
    await this.finish(id, 'cancelled', null);
    const running = this.running.get(id);
    running?.abort.abort();
    await running?.done;
    return this.get(id);
  }

  private workFolder(): string {
    return join(this.configuration.dataDir, 'work');
  }

  /** Starts queued jobs while workers are free; the oldest first. */
  private async fill(): Promise<void> {
    const free = this.configuration.compressionWorkers - this.running.size;
    if (free <= 0 || this.stopping) return;
    const waiting = await this.database.read.job.findMany({
      where: { state: 'queued' },
      orderBy: [{ createdAt: 'asc' }, { id: 'asc' }],
      take: free,
      include: { model: true },
    });
    for (const job of waiting) {
      if (this.running.has(job.id) || this.running.size >= this.configuration.compressionWorkers) {
        continue;
      }
      const abort = new AbortController();
      const done = this.run(job, abort.signal)
        .catch((cause: unknown) => this.logger.error(cause))
        .finally(() => {
          this.running.delete(job.id);
          void this.fill().catch((cause: unknown) => this.logger.error(cause));
        });
      this.running.set(job.id, { abort, done });
    }
  }

  private async run(job: Job & { model: Model }, signal: AbortSignal): Promise<void> {
    const outFolder = join(this.workFolder(), job.id);
    const { model } = job;
    try {
      await mkdir(outFolder, { recursive: true });
      await this.progress(job.id, 'starting', 0);
      let lastAt = 0;
      const result = await runCompression(
        {
          type: 'compress',
          modelPath: this.blobs.path(model.sha256),
          calibrationPath: this.blobs.path(model.calibrationSha256),
          evaluationPath: model.evaluationSha256 ? this.blobs.path(model.evaluationSha256) : null,
          card: model.card,
          request: fromJson(candidatesRequestSchema, job.request),
          outFolder,
        },
        ({ stage, done, total }) => {
          const now = Date.now();
          if (now - lastAt < PROGRESS_EVERY_MS && done < total) return;
          lastAt = now;
          const share = total > 0 ? Math.min(1, Math.max(0, done / total)) : 0;
          this.progress(job.id, stage, share).catch((cause: unknown) => this.logger.warn(cause));
        },
        signal,
      );
      const recorded = this.recording.then(() => this.record(job, result.candidates));
      this.recording = recorded.catch(() => undefined);
      await recorded;
      await this.finish(job.id, 'done', null);
    } catch (cause) {
      if (signal.aborted) return;
      const failure =
        cause instanceof CompressionFailed
          ? { code: cause.code, message: cause.message.slice(0, 1024) }
          : { code: 'JOB_FAILED', message: 'The server failed; its log says more.' };
      this.logger.error(cause);
      await this.finish(job.id, 'failed', failure);
    } finally {
      await rm(outFolder, { recursive: true, force: true });
    }
  }

  private async record(job: Job, files: readonly CandidateFile[]): Promise<void> {
    const stored: { file: CandidateFile; model: Blob; artifact: Blob }[] = [];
    for (const file of files) {
      const model = await this.blobs.putFile(file.modelFile, Number.MAX_SAFE_INTEGER);
      const artifact = await this.blobs.putFile(file.artifactFile, Number.MAX_SAFE_INTEGER);
      if (model.sha256 !== file.modelSha256 || artifact.sha256 !== file.artifactSha256) {
        throw new CompressionFailed('COMPRESS_PROCESS', 'A candidate is not what its hash says.');
      }
      stored.push({ file, model, artifact });
    }
    await this.database.write(async (transaction) => {
      for (const { file, model, artifact } of stored) {
        const id = candidateId(job.modelId, model.sha256, artifact.sha256);
        const data = { jobId: job.id, report: toJson(file.report), costs: toJson(file.costs) };
        await transaction.candidate.upsert({
          where: { id },
          update: data,
          create: {
            ...data,
            id,
            modelId: job.modelId,
            modelSha256: model.sha256,
            modelBytes: model.bytes,
            artifactSha256: artifact.sha256,
            artifactBytes: artifact.bytes,
            encoding: file.encoding,
            createdAt: new Date(),
          },
        });
      }
    });
    const removed = await this.retention.apply(job.id);
    if (removed > 0) this.logger.log({ msg: 'old candidates deleted', removed });
  }

  private async progress(id: string, stage: string, progress: number): Promise<void> {
    const { count } = await this.database.write((transaction) =>
      transaction.job.updateMany({
        where: { id, state: { in: ['queued', 'running'] } },
        data: { state: 'running', stage, progress },
      }),
    );
    if (count > 0)
      this.events.emit({ type: 'job', data: { id, state: 'running', stage, progress } });
  }

  private async finish(
    id: string,
    state: 'done' | 'failed' | 'cancelled',
    error: { code: string; message: string } | null,
  ): Promise<void> {
    const { count } = await this.database.write((transaction) =>
      transaction.job.updateMany({
        where: { id, state: { in: ['queued', 'running'] } },
        data: {
          state,
          stage: state,
          finishedAt: new Date(),
          ...(state === 'done' ? { progress: 1 } : {}),
          ...(error ? { error: toJson(error) } : {}),
        },
      }),
    );
    if (count === 0) return;
    const { progress } = await this.get(id);
    this.events.emit({ type: 'job', data: { id, state, stage: state, progress } });
    await this.retention.forgetJobs();
  }
}

const candidateId = (modelId: string, modelSha256: string, artifactSha256: string): string =>
  `v-${createHash('sha256').update(`${modelId}\n${modelSha256}\n${artifactSha256}`).digest('hex').slice(0, 16)}`;

function viewOf(row: Job): JobView {
  const error = fromJson(failureSchema.nullable(), row.error);
  return jobSchema.parse({
    ...row,
    createdAt: row.createdAt.toISOString(),
    finishedAt: row.finishedAt?.toISOString() ?? null,
    error: error ?? undefined,
  });
}
