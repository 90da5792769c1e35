import { Inject, Injectable, Logger } from '@nestjs/common';
import { CertificateAuthority } from '@espalier/authority';
import {
  instantSchema,
  type EnrolResponse,
  type Membership,
  type RenewalRequest,
  type Signed,
} from '@espalier/protocol';
import { publicKeyObject, verifyRenewal } from '@espalier/trust';
import { z } from 'zod';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { notFound, ServerError } from '../errors.js';
import type { Prisma } from '../generated/prisma/client.js';
import { BrokerAddress } from '../mqtt/broker-address.js';
import { Database } from '../persistence/database.js';
import { fromJson, toJson } from '../persistence/json.js';
import { Keyring } from '../release/keyring.js';

/** Most certificates of one device that have not ended; each may have to be listed as void. */
const MOST_AT_ONCE = 8;

const keptSchema = z.object({ serial: z.string(), expires: instantSchema });
/** What is kept of a certificate, so that it can be declared void. */
export type KeptCertificate = z.infer<typeof keptSchema>;

/** The certificates of a device's row that have not ended. @param now milliseconds since 1970 */
export const livingCertificates = (json: Prisma.JsonValue, now: number): KeptCertificate[] =>
  fromJson(z.array(keptSchema), json).filter(({ expires }) => Date.parse(expires) > now);

/** Gives devices the certificates with which they join the broker. */
@Injectable()
export class Certificates {
  private readonly logger = new Logger('certificates');

  constructor(
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
    private readonly authority: CertificateAuthority,
    private readonly database: Database,
    private readonly keyring: Keyring,
    private readonly broker: BrokerAddress,
  ) {}

  /** Issues a certificate; the caller commits `kept` before it gives the membership away. */
  async issue(
    deviceId: string,
    publicKey: Uint8Array,
    now: number,
  ): Promise<{ membership: Signed; kept: KeptCertificate }> {
    const { pem, serial, expires } = await this.authority.issue(
      {
        commonName: deviceId,
        publicKey: publicKeyObject(publicKey),
        use: 'client',
        lifetimeMs: this.configuration.certificateMs,
      },
      now,
    );
    const membership: Membership = {
      type: 'membership',
      deviceId,
      brokerUrl: this.broker.forDevices(),
      authorities: this.broker.authorities,
      certificate: pem,
      issued: new Date(now).toISOString(),
      expires: expires.toISOString(),
    };
    return {
      membership: this.keyring.signMembership(membership),
      kept: { serial, expires: membership.expires },
    };
  }

  /**
   * Gives a device another certificate for the same key; those that it has hold until they end.
   * @throws ServerError NOT_FOUND, DEVICE_REVOKED, CERTIFICATES_TOO_MANY
   * @throws TrustError when the request is not signed by the device, or old
   */
  async renew(deviceId: string, { request }: RenewalRequest): Promise<EnrolResponse> {
    const now = Date.now();
    const device = await this.database.read.device.findUnique({ where: { id: deviceId } });
    if (!device) throw notFound(`device ${deviceId}`);
    const publicKey = Buffer.from(device.publicKey, 'base64');
    verifyRenewal(request, { id: deviceId, publicKey }, now);
    const { membership, kept } = await this.issue(deviceId, publicKey, now);
    await this.database.write(async (transaction) => {
      const row = await transaction.device.findUniqueOrThrow({ where: { id: deviceId } });
      if (row.revokedAt) {
        throw new ServerError('DEVICE_REVOKED', 403, `${deviceId} was revoked; enrol it anew.`);
      }
      const living = livingCertificates(row.certificates, now);
      if (living.length >= MOST_AT_ONCE) {
        throw new ServerError(
          'CERTIFICATES_TOO_MANY',
          429,
          `${deviceId} has ${living.length} certificates that have not ended; one more is given when one ends.`,
        );
      }
      await transaction.device.update({
        where: { id: deviceId },
        data: { certificates: toJson([...living, kept]) },
      });
    });
    this.logger.log({ msg: 'certificate renewed', deviceId, expires: kept.expires });
    return { deviceId, root: this.keyring.signedRoot, membership };
  }
}
