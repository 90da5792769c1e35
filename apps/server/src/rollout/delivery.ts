import { Inject, Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import { chunkLength, Distribution, type Dispatch } from '@espalier/delivery';
import type { Need } from '@espalier/protocol';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { Metrics } from '../http/metrics.js';
import { BlobStore } from '../models/blob-store.js';
import { DeviceChannel } from '../mqtt/device-channel.js';
import { Database } from '../persistence/database.js';
import { ChunkCache } from './chunk-cache.js';
import { Offers, type CurrentOffer } from './offers.js';

const CACHE_BYTES = 64 * 2 ** 20;
const OFFERS_KEPT = 10_000;
/** Chunks on their way to the broker at once; one of them a broadcast, so that a halt finds little. */
const SENDERS = 8;

/**
 * Answers what devices say they need: chunks of the artifact on offer, at QoS 0, because a lost chunk
 * is asked for again. Which chunk goes to whom, and when, is {@link Distribution}'s to say.
 */
@Injectable()
export class DeliveryService implements OnModuleDestroy {
  private readonly logger = new Logger('delivery');
  private readonly cache = new ChunkCache(CACHE_BYTES);
  private readonly offers = new Map<string, CurrentOffer>();
  private readonly distribution: Distribution;
  private readonly forgotten = new Map<string, number>();
  private sending = 0;
  private broadcasting = false;
  private stopped = false;
  private timer: NodeJS.Timeout | undefined;
  private soon: NodeJS.Immediate | undefined;
  private unsaved = new Map<string, { deviceId: string; generation: number; bytes: number }>();

  constructor(
    @Inject(CONFIGURATION) { deliveryRates }: Configuration,
    private readonly database: Database,
    private readonly currentOffers: Offers,
    private readonly blobs: BlobStore,
    private readonly channel: DeviceChannel,
    private readonly metrics: Metrics,
  ) {
    this.distribution = new Distribution(deliveryRates, performance.now());
  }

  /** A device's offer has changed: what is known of it, and what waits to be sent for it, is void. */
  forget(deviceId: string): void {
    this.forgotten.set(deviceId, this.timesForgotten(deviceId) + 1);
    this.offers.delete(deviceId);
    this.distribution.forget(deviceId);
  }

  /** Changes whenever the device's offer does; what was read before is then out of date. */
  timesForgotten(deviceId: string): number {
    return this.forgotten.get(deviceId) ?? 0;
  }

  /** A device has every chunk of a generation, or wants none any more. */
  finished(deviceId: string, generation: number): void {
    this.distribution.forget(deviceId, generation);
  }

  /** Queues what a device needs, as far as it is on offer to it. */
  async answer(deviceId: string, need: Need): Promise<void> {
    const offer = await this.offerTo(deviceId);
    const answer = this.distribution.want(
      deviceId,
      need,
      offer ? { generation: offer.target.generation, manifest: offer.manifest } : null,
      performance.now(),
    );
    if (answer.kind === 'refuse') this.logger.debug({ msg: 'need refused', deviceId, answer });
    else this.pumpSoon();
  }

  /** Payload bytes sent for a target that are not in the database yet. */
  unsavedBytes(deviceId: string, generation: number): number {
    return this.unsaved.get(`${deviceId}/${generation}`)?.bytes ?? 0;
  }

  /** Stores how many bytes were sent since the last time, and forgets devices that are gone. */
  async save(): Promise<void> {
    this.distribution.prune(performance.now());
    if (this.unsaved.size === 0) return;
    const rows = [...this.unsaved.values()];
    this.unsaved = new Map();
    await this.database.write(async (transaction) => {
      for (const { deviceId, generation, bytes } of rows) {
        await transaction.sql.run(
          'UPDATE "Target" SET "sentBytes" = "sentBytes" + ? WHERE "deviceId" = ? AND "generation" = ?',
          [bytes, deviceId, generation],
        );
      }
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.save();
  }

  /** What is on offer to a device; what changes while it is read is read again. */
  async offerTo(deviceId: string): Promise<CurrentOffer | null> {
    for (;;) {
      const kept = this.offers.get(deviceId);
      if (kept) return kept;
      const times = this.timesForgotten(deviceId);
      const offer = await this.currentOffers.current(deviceId);
      if (times !== this.timesForgotten(deviceId)) continue;
      if (!offer) return null;
      const [oldest] = this.offers.keys();
      if (this.offers.size >= OFFERS_KEPT && oldest !== undefined) this.offers.delete(oldest);
      this.offers.set(deviceId, offer);
      return offer;
    }
  }

  /** Sends what may be sent once all that came in with this need is taken. */
  private pumpSoon(): void {
    this.soon ??= setImmediate(() => {
      this.soon = undefined;
      this.pump();
    });
  }

  /** Sends what may be sent now; called again as each chunk is gone, and when a rate allows more. */
  private pump(): void {
    clearTimeout(this.timer);
    while (this.sending < SENDERS && !this.stopped) {
      const next = this.distribution.next(performance.now(), !this.broadcasting);
      if (next.kind === 'wait') {
        if (next.ms < Infinity) this.timer = setTimeout(() => this.pump(), next.ms);
        return;
      }
      if (next.kind === 'idle') return;
      const { dispatch } = next;
      const isBroadcast = dispatch.kind === 'broadcast';
      this.sending += 1;
      if (isBroadcast) this.broadcasting = true;
      void this.send(dispatch).finally(() => {
        this.sending -= 1;
        if (isBroadcast) this.broadcasting = false;
        this.pump();
      });
    }
  }

  private async send(dispatch: Dispatch): Promise<void> {
    const { kind, manifest, index, receivers } = dispatch;
    try {
      const payload = await this.cache.get(`${manifest.sha256}/${index}`, () =>
        this.blobs.slice(manifest.sha256, index * manifest.chunkSize, chunkLength(manifest, index)),
      );
      const frame = { artifactSha256: manifest.sha256, index, payload };
      if (kind === 'broadcast') await this.channel.broadcastChunk(frame);
      else for (const { deviceId } of receivers) await this.channel.publishChunk(deviceId, frame);
      for (const receiver of receivers) this.count(receiver, payload.byteLength);
    } catch (cause) {
      // The devices ask again.
      this.logger.warn({ msg: 'chunk not sent', kind, index, why: String(cause) });
    }
  }

  private count(
    { deviceId, generation }: { readonly deviceId: string; readonly generation: number },
    payloadBytes: number,
  ): void {
    const key = `${deviceId}/${generation}`;
    const bytes = (this.unsaved.get(key)?.bytes ?? 0) + payloadBytes;
    this.unsaved.set(key, { deviceId, generation, bytes });
    this.metrics.countChunk(payloadBytes);
  }
}
