import { Injectable, Logger } from '@nestjs/common';
import { DeviceChannel } from '../mqtt/device-channel.js';
import { DeliveryService } from './delivery.js';
import { Offers } from './offers.js';

const AT_ONCE = 32;

/** Sends devices the targets that they have on offer. Failing is no loss: a device asks at its next hello. */
@Injectable()
export class TargetSender {
  private readonly logger = new Logger('targets');

  constructor(
    private readonly offers: Offers,
    private readonly delivery: DeliveryService,
    private readonly channel: DeviceChannel,
  ) {}

  /** Never throws. */
  async sendAll(deviceIds: readonly string[]): Promise<void> {
    for (let at = 0; at < deviceIds.length; at += AT_ONCE) {
      await Promise.all(deviceIds.slice(at, at + AT_ONCE).map((id) => this.send(id)));
    }
  }

  /** Never throws. */
  async send(deviceId: string): Promise<void> {
    try {
      for (;;) {
        const times = this.delivery.timesForgotten(deviceId);
        const offer = await this.delivery.offerTo(deviceId);
        if (!offer) return;
        const message = await this.offers.message(offer);
        // Halted in the meantime: what was read is not on offer any more.
        if (times !== this.delivery.timesForgotten(deviceId)) continue;
        await this.channel.publish(deviceId, 'target', message);
        return;
      }
    } catch (cause) {
      this.logger.warn({ msg: 'target not sent', deviceId, why: String(cause) });
    }
  }
}
