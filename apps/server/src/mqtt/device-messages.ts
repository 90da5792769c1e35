import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import {
  decodeMessage,
  LIMITS,
  parseTopic,
  ProtocolError,
  UP_SCHEMAS,
  type InstallState,
  type Message,
  type UpKind,
} from '@espalier/protocol';
import { TrustError } from '@espalier/trust';
import type { z } from 'zod';
import { DeliveryService } from '../rollout/delivery.js';
import { Devices } from '../fleet/devices.js';
import { Revocations } from '../fleet/revocations.js';
import { ServerError } from '../errors.js';
import { Metrics } from '../http/metrics.js';
import { Database, type Transaction } from '../persistence/database.js';
import { Rollouts, type AfterCommit } from '../rollout/rollouts.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { ShadowOrders } from '../shadow/shadow-orders.js';
import { ShadowSamples } from '../shadow/shadow-samples.js';
import { DeviceChannel } from './device-channel.js';
import { UnderWay } from './under-way.js';

type UpBody<K extends UpKind> = z.infer<(typeof UP_SCHEMAS)[K]>;

/** Telemetry of a few KiB comes in thousands; of the largest messages 256 fit. */
const BOUNDS = { messages: 5_000, bytes: 256 * LIMITS.controlMessageBytes };
const WANTS_CHUNKS: readonly InstallState[] = ['accepted', 'downloading'];

/**
 * What devices say: parsed, committed once, and only then acknowledged. A message that is refused
 * for its contents is acknowledged too, so that it is not sent for ever; one that could not be
 * stored is not, and comes again.
 */
@Injectable()
export class DeviceMessages implements OnModuleDestroy {
  private readonly logger = new Logger('device-messages');
  private readonly underWay = new UnderWay(BOUNDS);

  constructor(
    private readonly database: Database,
    private readonly channel: DeviceChannel,
    private readonly devices: Devices,
    private readonly revocations: Revocations,
    private readonly rollouts: Rollouts,
    private readonly telemetry: Telemetry,
    private readonly delivery: DeliveryService,
    private readonly samples: ShadowSamples,
    private readonly orders: ShadowOrders,
    private readonly metrics: Metrics,
  ) {}

  /** Takes one message; never throws. Beyond the bounds messages are dropped, and come again. */
  receive(topic: string, payload: Uint8Array): void {
    if (this.underWay.begin(payload.byteLength, () => this.take(topic, payload))) return;
    this.metrics.countMessage('unknown', 'dropped');
  }

  async onModuleDestroy(): Promise<void> {
    await this.underWay.settled();
  }

  private async take(topic: string, payload: Uint8Array): Promise<void> {
    let kind: UpKind | 'unknown' = 'unknown';
    try {
      const parsed = parseTopic(topic);
      if (parsed.direction !== 'up') return;
      kind = parsed.kind;
      if (this.revocations.has(parsed.deviceId)) {
        throw new ServerError('DEVICE_REVOKED', 403, `${parsed.deviceId} was revoked.`);
      }
      await this.dispatch(parsed.deviceId, parsed.kind, payload);
      this.metrics.countMessage(kind, 'taken');
    } catch (cause) {
      this.metrics.countMessage(kind, 'refused');
      if (cause instanceof ProtocolError || cause instanceof TrustError) {
        this.logger.warn({ msg: 'message refused', topic, code: cause.code, why: cause.message });
      } else if (cause instanceof ServerError) {
        this.logger.warn({ msg: 'message not taken', topic, code: cause.code, why: cause.message });
      } else {
        this.logger.error(cause);
      }
    }
  }

  private async dispatch(deviceId: string, kind: UpKind, payload: Uint8Array): Promise<void> {
    if (kind === 'need') {
      await this.delivery.answer(deviceId, decodeMessage(payload, UP_SCHEMAS.need).body);
      return;
    }
    const publicKey = await this.devices.publicKey(deviceId);
    if (!publicKey) throw new ServerError('NOT_FOUND', 404, `There is no device ${deviceId}.`);
    switch (kind) {
      case 'hello': {
        const message = decodeMessage(payload, UP_SCHEMAS.hello);
        await this.once(deviceId, message, async (transaction) => {
          await this.devices.takeHello(transaction, deviceId, message.body);
        });
        await this.rollouts.deviceIsBack(deviceId, message.body);
        await this.orders.tell(deviceId, message.body.running);
        return;
      }
      case 'profile': {
        const message: Message<UpBody<'profile'>> = decodeMessage(payload, UP_SCHEMAS.profile);
        await this.once(deviceId, message, (transaction) =>
          this.devices.takeProfile(transaction, deviceId, message.body.profile),
        );
        return;
      }
      case 'telemetry': {
        const message = decodeMessage(payload, UP_SCHEMAS.telemetry);
        await this.once(
          deviceId,
          message,
          async (transaction) => {
            await this.telemetry.take(transaction, deviceId, message);
            const { running, shadowLosses: losses } = message.body;
            if (losses) await this.samples.takeLosses(transaction, deviceId, running, losses);
          },
          { patient: true },
        );
        return;
      }
      case 'report': {
        const message = decodeMessage(payload, UP_SCHEMAS.report);
        await this.takeReport(deviceId, message, publicKey);
        return;
      }
      case 'shadow':
        await this.takeSample(deviceId, decodeMessage(payload, UP_SCHEMAS.shadow));
        return;
    }
  }

  private async takeReport(
    deviceId: string,
    message: Message<UpBody<'report'>>,
    publicKey: Uint8Array,
  ): Promise<void> {
    const report = this.rollouts.verify(deviceId, message.body.report, publicKey);
    if (!WANTS_CHUNKS.includes(report.state)) this.delivery.finished(deviceId, report.generation);
    let after: AfterCommit = () => Promise.resolve();
    await this.once(
      deviceId,
      message,
      async (transaction) => {
        after = await this.rollouts.takeReport(transaction, deviceId, report);
      },
      { committed: () => after() },
    );
    if (report.state === 'active') await this.orders.tell(deviceId, report.running);
  }

  /** A sample that is refused is acknowledged: the device shall not send it again. */
  private async takeSample(deviceId: string, message: Message<UpBody<'shadow'>>): Promise<void> {
    const verdict = await this.samples.examine(deviceId, message);
    await this.once(
      deviceId,
      message,
      (transaction) => this.samples.take(transaction, deviceId, message, verdict),
      { patient: true },
    );
    if (verdict.kind === 'keep') return;
    if (verdict.why.code === 'SHADOW_NOT_ASKED') {
      await this.orders.silence(deviceId, message.body.running);
    }
    throw verdict.why;
  }

  /**
   * Commits a message unless its id was committed before, then acknowledges it either way; what the
   * commit leads to, as a halt, does not wait for that.
   */
  private async once(
    deviceId: string,
    message: { readonly id: string },
    write: (transaction: Transaction) => Promise<void>,
    { patient = false, committed }: { patient?: boolean; committed?: AfterCommit } = {},
  ): Promise<void> {
    const job = async (transaction: Transaction): Promise<void> => {
      const added = await transaction.sql.run(
        `INSERT INTO "Inbox" ("deviceId", "messageId", "receivedAt") VALUES (?, ?, ?)
         ON CONFLICT DO NOTHING`,
        [deviceId, message.id, new Date()],
      );
      if (added > 0) await write(transaction);
    };
    await this.database.write(job, { patient });
    await Promise.all([committed?.(), this.channel.publish(deviceId, 'ack', { of: message.id })]);
  }
}
