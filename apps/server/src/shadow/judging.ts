import { Inject, Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { Interval } from '@nestjs/schedule';
import { z } from 'zod';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import type { ShadowSample } from '../generated/prisma/client.js';
import { BlobStore } from '../models/blob-store.js';
import { Database, type Transaction } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { judgeTaskSchema, type JudgeResult, type WaitingSample } from './judge-messages.js';
import { JudgeProcess } from './judge-process.js';
import { tally } from './tallies.js';

const EVERY_MS = 1_000;
const BATCH = 16;
/** A sample with which the process ended so often is given up. */
const MOST_ATTEMPTS = 3;
const IDLE_MS = 300_000;

const dimsSchema = z.array(z.number().int().min(1));
const outputSchema = judgeTaskSchema.shape.samples.element.shape.output;

/**
 * Has the samples that wait judged, the oldest first and a batch of one model at a time. A batch is
 * counted as tried before it is; one that took the process down is tried again sample by sample.
 */
@Injectable()
export class Judging implements OnModuleDestroy {
  private readonly logger = new Logger('shadow');
  private readonly process: JudgeProcess;
  private working: Promise<void> | null = null;
  private stopping = false;

  constructor(
    private readonly database: Database,
    private readonly blobs: BlobStore,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {
    this.process = new JudgeProcess({ timeoutMs: configuration.shadow.judgeMs, idleMs: IDLE_MS });
  }

  @Interval(EVERY_MS)
  tick(): void {
    this.working ??= this.work()
      .catch((cause: unknown) => this.logger.error(cause))
      .finally(() => (this.working = null));
  }

  async onModuleDestroy(): Promise<void> {
    this.stopping = true;
    this.process.end('The server stops.');
    await this.working;
  }

  private async work(): Promise<void> {
    while (!this.stopping && (await this.next()) > 0);
  }

  /** Judges the next batch. @returns how many samples it had */
  private async next(): Promise<number> {
    const rows = await this.batch();
    const [first] = rows;
    if (!first) return 0;
    const ids = rows.map(({ id }) => id);
    await this.database.write((transaction) =>
      transaction.shadowSample.updateMany({
        where: { id: { in: ids } },
        data: { attempts: { increment: 1 } },
      }),
    );
    const results = await this.judged(rows, first.modelId);
    if (this.stopping) return 0;
    await this.database.write(async (transaction) => {
      for (const result of results) {
        const row = rows.find(({ id }) => id === result.id);
        if (row) await record(transaction, row, result);
      }
    });
    return rows.length;
  }

  /** Samples of one model that were not tried yet; when there are none, one that was. */
  private async batch(): Promise<ShadowSample[]> {
    const { shadowSample } = this.database.read;
    const where = { state: 'waiting' };
    const [next] = await shadowSample.findMany({
      where,
      orderBy: [{ attempts: 'asc' }, { id: 'asc' }],
      take: 1,
    });
    if (!next || next.attempts > 0) return next ? [next] : [];
    return shadowSample.findMany({
      where: { ...where, attempts: 0, modelId: next.modelId },
      orderBy: { id: 'asc' },
      take: BATCH,
    });
  }

  private async judged(rows: readonly ShadowSample[], modelId: string): Promise<JudgeResult[]> {
    const model = await this.database.read.model.findUnique({ where: { id: modelId } });
    const fault = (code: 'SHADOW_MODEL' | 'SHADOW_JUDGE', why: string): JudgeResult[] =>
      rows.map(({ id }) => ({ id, fault: code, why }));
    if (!model) return fault('SHADOW_MODEL', `There is no model ${modelId}.`);
    try {
      return await this.process.judge({
        modelPath: this.blobs.path(model.sha256),
        modelSha256: model.sha256,
        card: model.card,
        mostModels: this.configuration.shadow.models,
        samples: rows.map(waitingOf),
      });
    } catch (cause) {
      if (this.stopping) return [];
      const why = cause instanceof Error ? cause.message : String(cause);
      this.logger.warn({ msg: 'samples not judged', modelId, samples: rows.length, why });
      const [only, another] = rows;
      const isOver = only && !another && only.attempts + 1 >= MOST_ATTEMPTS;
      return isOver ? fault('SHADOW_JUDGE', why) : [];
    }
  }
}

function waitingOf(row: ShadowSample): WaitingSample {
  const { id, dims, encoding, input, output } = row;
  return {
    id,
    dims: fromJson(dimsSchema, dims),
    encoding: judgeTaskSchema.shape.samples.element.shape.encoding.parse(encoding),
    input: input ?? new Uint8Array(),
    output: fromJson(outputSchema, output),
  };
}

/** Writes a result once, whoever brings it, and forgets the input. */
async function record(
  transaction: Transaction,
  row: ShadowSample,
  result: JudgeResult,
): Promise<void> {
  const failed = 'fault' in result;
  const { count } = await transaction.shadowSample.updateMany({
    where: { id: row.id, state: 'waiting' },
    data: {
      judgedAt: new Date(),
      input: null,
      ...(failed
        ? { state: 'failed', failure: `${result.fault}: ${result.why}` }
        : {
            state: 'judged',
            inputSha256: result.inputSha256,
            agreed: result.agreed === null ? null : Number(result.agreed),
            distance: result.distance,
            ...(result.dense ? { denseOutput: toJson(result.dense) } : {}),
          }),
    },
  });
  if (count === 0) return;
  const { modelId, releaseId, variantId, deviceId, takenAt } = row;
  const counts = failed
    ? { failed: 1 }
    : {
        judged: 1,
        ...(result.agreed === null ? {} : { classified: 1, agreed: Number(result.agreed) }),
        ...(result.distance === null
          ? {}
          : {
              ...{ compared: 1, distanceSum: result.distance },
              distanceSquares: result.distance ** 2,
            }),
      };
  await tally(transaction, { at: takenAt, modelId, releaseId, variantId, deviceId }, counts);
}
