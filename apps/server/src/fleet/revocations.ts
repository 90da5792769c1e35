import { Injectable, Logger } from '@nestjs/common';
import { notFound } from '../errors.js';
import { BrokerFiles, type Revoked } from '../mqtt/broker-files.js';
import { DeviceChannel } from '../mqtt/device-channel.js';
import { Displacement } from '../mqtt/displacement.js';
import { Database } from '../persistence/database.js';
import { livingCertificates } from './certificates.js';

/** The devices that were put out of the fleet, and how the broker learns of them. */
@Injectable()
export class Revocations {
  private readonly logger = new Logger('revocations');
  private devices: ReadonlySet<string> = new Set();
  private telling: Promise<void> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly channel: DeviceChannel,
    private readonly files: BrokerFiles,
    private readonly displacement: Displacement,
  ) {}

  /** Whether a device was put out; what it says is not heeded. */
  has(deviceId: string): boolean {
    return this.devices.has(deviceId);
  }

  /**
   * Puts a device out for good: its certificates are void, its connection is cut, and it gets no
   * other. Once more does no harm. Resolves when the broker was told, or will be as it comes back.
   * @throws ServerError NOT_FOUND
   */
  async revoke(deviceId: string): Promise<{ id: string; revokedAt: string }> {
    const revokedAt = await this.database.write(async (transaction) => {
      const row = await transaction.device.findUnique({ where: { id: deviceId } });
      if (!row) throw notFound(`device ${deviceId}`);
      if (row.revokedAt) return row.revokedAt;
      const at = new Date();
      await transaction.device.update({ where: { id: deviceId }, data: { revokedAt: at } });
      return at;
    });
    this.logger.warn({ msg: 'device revoked', code: 'DEVICE_REVOKED', deviceId });
    await this.tell();
    await this.displacement.end(deviceId);
    return { id: deviceId, revokedAt: revokedAt.toISOString() };
  }

  /** Writes the list where a broker reads it at its start. */
  async write(): Promise<readonly Revoked[]> {
    const now = Date.now();
    const rows = await this.database.read.device.findMany({
      where: { revokedAt: { not: null } },
      select: { id: true, certificates: true },
      orderBy: { id: 'asc' },
    });
    this.devices = new Set(rows.map(({ id }) => id));
    const revoked = rows
      .map(({ id, certificates }) => ({
        deviceId: id,
        serials: livingCertificates(certificates, now).map(({ serial }) => serial),
      }))
      .filter(({ serials }) => serials.length > 0);
    await this.files.writeRevoked(revoked);
    return revoked;
  }

  /** Tells the broker the whole list, as at every connection to it; one telling after another. */
  tell(): Promise<void> {
    this.telling = this.telling.then(async () => {
      try {
        const revoked = await this.write();
        if (!this.channel.connected) return;
        await this.channel.publishRevocations(revoked.map(({ deviceId }) => deviceId));
      } catch (cause) {
        this.logger.error(cause);
      }
    });
    return this.telling;
  }
}
