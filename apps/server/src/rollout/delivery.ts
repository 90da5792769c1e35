import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { answerNeed, chunkLength } from '@espalier/delivery';
import type { Need } from '@espalier/protocol';
import { Metrics } from '../http/metrics.js';
import { BlobStore } from '../models/blob-store.js';
import { DeviceChannel } from '../mqtt/device-channel.js';
import { Database } from '../persistence/database.js';
import { ChunkCache } from './chunk-cache.js';
import { Offers, type CurrentOffer } from './offers.js';

const CACHE_BYTES = 64 * 2 ** 20;
const OFFERS_KEPT = 10_000;
const SENDERS = 8;

interface Sending {
  readonly offer: CurrentOffer;
  readonly queued: Set<number>;
}

/**
 * Answers what devices say they need: chunks of the artifact on offer, at most one window waiting
 * for each device, some devices at a time, at QoS 0, because a lost chunk is asked for again.
 */
@Injectable()
export class DeliveryService implements OnModuleDestroy {
  private readonly logger = new Logger('delivery');
  private readonly cache = new ChunkCache(CACHE_BYTES);
  private readonly offers = new Map<string, CurrentOffer>();
  private readonly sending = new Map<string, Sending>();
  private readonly turns: string[] = [];
  private senders = 0;
  private unsaved = new Map<string, { deviceId: string; generation: number; bytes: number }>();

  constructor(
    private readonly database: Database,
    private readonly currentOffers: Offers,
    private readonly blobs: BlobStore,
    private readonly channel: DeviceChannel,
    private readonly metrics: Metrics,
  ) {}

  /** Forgets what is known of a device's offer, and what waits to be sent for it. */
  forget(deviceId: string): void {
    this.offers.delete(deviceId);
    this.sending.delete(deviceId);
  }

  /** Queues what a device needs, as far as it is on offer to it. */
  async answer(deviceId: string, need: Need): Promise<void> {
    const offer = await this.offerFor(deviceId, need.generation);
    const kept = this.sending.get(deviceId);
    const queued = kept && kept.offer === offer ? kept.queued : new Set<number>();
    const answer = answerNeed(
      need,
      offer ? { generation: offer.target.generation, manifest: offer.manifest } : null,
      queued,
    );
    if (answer.kind === 'refuse' || !offer) {
      this.logger.debug({ msg: 'need refused', deviceId, answer });
      return;
    }
    for (const index of answer.indices) queued.add(index);
    const known = this.sending.has(deviceId);
    this.sending.set(deviceId, { offer, queued });
    if (!known) this.turns.push(deviceId);
    while (this.senders < SENDERS && this.turns.length > 0) {
      this.senders += 1;
      void this.send().finally(() => {
        this.senders -= 1;
      });
    }
  }

  /** Payload bytes sent for a target that are not in the database yet. */
  unsavedBytes(deviceId: string, generation: number): number {
    return this.unsaved.get(`${deviceId}/${generation}`)?.bytes ?? 0;
  }

  /** Stores how many bytes were sent since the last time. */
  async save(): Promise<void> {
    if (this.unsaved.size === 0) return;
    const rows = [...this.unsaved.values()];
    this.unsaved = new Map();
    await this.database.write(async (transaction) => {
      for (const { deviceId, generation, bytes } of rows) {
        await transaction.target.updateMany({
          where: { deviceId, generation },
          data: { sentBytes: { increment: bytes } },
        });
      }
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.sending.clear();
    this.turns.length = 0;
    await this.save();
  }

  private async offerFor(deviceId: string, generation: number): Promise<CurrentOffer | null> {
    const kept = this.offers.get(deviceId);
    if (kept?.target.generation === generation) return kept;
    this.offers.delete(deviceId);
    const offer = await this.currentOffers.current(deviceId);
    if (!offer) return null;
    const [oldest] = this.offers.keys();
    if (this.offers.size >= OFFERS_KEPT && oldest !== undefined) this.offers.delete(oldest);
    this.offers.set(deviceId, offer);
    return offer;
  }

  /** Sends one chunk of each waiting device in turn, until none waits. */
  private async send(): Promise<void> {
    for (let deviceId = this.turns.shift(); deviceId !== undefined; deviceId = this.turns.shift()) {
      const work = this.sending.get(deviceId);
      const index = work?.queued.values().next().value;
      if (!work || index === undefined) {
        this.sending.delete(deviceId);
        continue;
      }
      try {
        await this.sendChunk(deviceId, work.offer, index);
      } catch (cause) {
        this.logger.warn({ msg: 'chunk not sent', deviceId, index, why: String(cause) });
        work.queued.clear();
      }
      work.queued.delete(index);
      this.turns.push(deviceId);
    }
  }

  private async sendChunk(deviceId: string, offer: CurrentOffer, index: number): Promise<void> {
    const { manifest, target } = offer;
    const payload = await this.cache.get(`${manifest.sha256}/${index}`, () =>
      this.blobs.slice(manifest.sha256, index * manifest.chunkSize, chunkLength(manifest, index)),
    );
    await this.channel.publishChunk(deviceId, {
      artifactSha256: manifest.sha256,
      index,
      payload,
    });
    const key = `${deviceId}/${target.generation}`;
    const { generation } = target;
    const bytes = (this.unsaved.get(key)?.bytes ?? 0) + payload.byteLength;
    this.unsaved.set(key, { deviceId, generation, bytes });
    this.metrics.countChunk(payload.byteLength);
  }
}
