import { Inject, Injectable } from '@nestjs/common';
import {
  labelsSchema,
  windowTimes,
  type Message,
  type Running,
  type Sampling,
  type ShadowLosses,
  type ShadowSample,
} from '@espalier/protocol';
import { z } from 'zod';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { ServerError } from '../errors.js';
import { Database, type Transaction } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { LENGTH_MS, startOf } from '../telemetry/resolutions.js';
import { ReleasedModels } from './released-models.js';
import { ShadowPolicies } from './shadow-policies.js';
import { tally, type TallyKey } from './tallies.js';

/** A sample that a device could not send for longer is not taken. */
const OLDEST_MS = 7 * 86_400_000;
const WAITING_PER_DEVICE = 500;

const countSchema = z.object({ count: z.coerce.number() });
const bytesSchema = z.object({ bytes: z.coerce.number() });

/** What is done with a sample: kept, or refused for what it is. */
export type Verdict =
  | { readonly kind: 'keep'; readonly modelId: string; readonly input: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'refuse'; readonly modelId: string | null; readonly why: ServerError };

/** Takes shadow samples: only those that were asked for, of a device that was given the variant. */
@Injectable()
export class ShadowSamples {
  constructor(
    private readonly database: Database,
    private readonly policies: ShadowPolicies,
    private readonly models: ReleasedModels,
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
  ) {}

  /**
   * Looks at a sample before anything is written.
   * @throws ServerError SHADOW_STORE_FULL when there is no room now: it comes again
   */
  async examine(deviceId: string, message: Message<ShadowSample>): Promise<Verdict> {
    const { running, input } = message.body;
    const { releaseId, variantId, modelSha256 } = running;
    const model = await this.models.of(releaseId);
    const modelId = model?.modelId ?? null;
    const refuse = (why: ServerError): Verdict => ({ kind: 'refuse', modelId, why });
    if (modelId === null || model?.variants.get(variantId) !== modelSha256) {
      return refuse(
        new ServerError(
          'SHADOW_UNKNOWN_MODEL',
          422,
          `No release ${releaseId} has a variant ${variantId} with the hash ${modelSha256}.`,
        ),
      );
    }
    const sampling = await this.samplingOf(deviceId, modelId);
    if (!sampling) {
      return refuse(
        new ServerError('SHADOW_NOT_ASKED', 422, `Nobody asks ${deviceId} for samples.`),
      );
    }
    if (!(await this.wasGiven(deviceId, running))) {
      return refuse(
        new ServerError('SHADOW_NOT_GIVEN', 422, `${deviceId} was never given ${variantId}.`),
      );
    }
    const bytes = Uint8Array.from(Buffer.from(input.data, 'base64'));
    if (bytes.byteLength > sampling.bytesPerSample) {
      return refuse(
        new ServerError(
          'SHADOW_TOO_LARGE',
          422,
          `A sample of ${bytes.byteLength} bytes is over the ${sampling.bytesPerSample} that were asked for.`,
        ),
      );
    }
    const at = takenAt(message, new Date());
    if (Date.now() - at.getTime() > OLDEST_MS) {
      return refuse(
        new ServerError(
          'SHADOW_TOO_OLD',
          422,
          `A sample was taken ${at.toISOString()}, too long ago.`,
        ),
      );
    }
    // One more, since the device's hour begins with its own clock.
    if ((await this.ofHour(deviceId, at)) > sampling.perHour) {
      return refuse(
        new ServerError(
          'SHADOW_TOO_MANY',
          422,
          `${deviceId} sends more than ${sampling.perHour} samples of an hour.`,
        ),
      );
    }
    await this.requireRoom(deviceId, bytes.byteLength);
    return { kind: 'keep', modelId, input: bytes };
  }

  /** Writes a sample, or that it was refused. */
  async take(
    transaction: Transaction,
    deviceId: string,
    message: Message<ShadowSample>,
    verdict: Verdict,
  ): Promise<void> {
    const { running, input, output } = message.body;
    const { releaseId, variantId } = running;
    const now = new Date();
    if (verdict.kind === 'refuse') {
      if (verdict.modelId === null) return;
      const { modelId } = verdict;
      await tally(
        transaction,
        { at: now, modelId, releaseId, variantId, deviceId },
        { refused: 1 },
      );
      return;
    }
    await transaction.shadowSample.create({
      data: {
        ...{ deviceId, modelId: verdict.modelId, releaseId, variantId },
        takenAt: takenAt(message, now),
        receivedAt: now,
        bytes: verdict.input.byteLength,
        dims: toJson(input.dims),
        encoding: input.encoding,
        input: verdict.input,
        output: toJson(output),
        state: 'waiting',
      },
    });
  }

  /** Counts what a device says that it drew and did not send. */
  async takeLosses(
    transaction: Transaction,
    deviceId: string,
    { releaseId, variantId }: Running,
    losses: ShadowLosses,
  ): Promise<void> {
    const model = await this.models.of(releaseId);
    if (!model?.variants.has(variantId)) return;
    const key: TallyKey = {
      ...{ at: new Date(), modelId: model.modelId, releaseId, variantId, deviceId },
    };
    await tally(transaction, key, losses);
  }

  private async samplingOf(deviceId: string, modelId: string): Promise<Sampling | null> {
    const device = await this.database.read.device.findUnique({
      where: { id: deviceId },
      select: { labels: true },
    });
    return device && this.policies.samplingOf(modelId, fromJson(labelsSchema, device.labels));
  }

  private async wasGiven(deviceId: string, running: Running): Promise<boolean> {
    const { releaseId, variantId, modelSha256 } = running;
    const where = { deviceId, releaseId, variantId, modelSha256 };
    const select = { generation: true };
    return (await this.database.read.target.findFirst({ where, select })) !== null;
  }

  private async ofHour(deviceId: string, at: Date): Promise<number> {
    const from = startOf('hour', at);
    const [row] = await this.database.read.sql.all(
      countSchema,
      `SELECT COUNT(*) AS count FROM "ShadowSample"
       WHERE "deviceId" = ? AND "takenAt" >= ? AND "takenAt" < ?`,
      [deviceId, from, new Date(from.getTime() + LENGTH_MS.hour)],
    );
    return row?.count ?? 0;
  }

  private async requireRoom(deviceId: string, bytes: number): Promise<void> {
    const { sql } = this.database.read;
    const [stored] = await sql.all(
      bytesSchema,
      `SELECT COALESCE(SUM("bytes"), 0) AS bytes FROM "ShadowSample" WHERE "state" = 'waiting'`,
      [],
    );
    const [own] = await sql.all(
      countSchema,
      `SELECT COUNT(*) AS count FROM "ShadowSample" WHERE "state" = 'waiting' AND "deviceId" = ?`,
      [deviceId],
    );
    const full = (stored?.bytes ?? 0) + bytes > this.configuration.shadow.storeBytes;
    if (!full && (own?.count ?? 0) < WAITING_PER_DEVICE) return;
    throw new ServerError(
      'SHADOW_STORE_FULL',
      503,
      `Samples of ${stored?.bytes ?? 0} bytes wait to be judged, ${own?.count ?? 0} of ${deviceId}.`,
    );
  }
}

/** When a sample was taken, by this server's clock. */
function takenAt(message: Message<ShadowSample>, now: Date): Date {
  const { takenAt: at } = message.body;
  return windowTimes(message, { from: at, to: at, durationMs: 0 }, now).to;
}
