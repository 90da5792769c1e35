import { Inject, Injectable, Logger } from '@nestjs/common';
import { CertificateAuthority, clientIdentity } from '@espalier/authority';
import { connectAsync } from 'mqtt';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { BrokerAddress } from './broker-address.js';

const CERTIFICATE_MS = 60_000;
const CONNECT_TIMEOUT_MS = 5_000;

/**
 * Ends a device's live connection at Mosquitto, which reads a new list of void certificates for new
 * connections alone: it closes the earlier connection of a client id that connects again (MQTT 3.1.1,
 * section 3.1.4). The authority makes the certificate for that, good for a minute.
 */
@Injectable()
export class Displacement {
  private readonly logger = new Logger('displacement');

  constructor(
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
    private readonly authority: CertificateAuthority,
    private readonly address: BrokerAddress,
  ) {}

  /** Our own broker is told of revocations, so it needs none of this. Never throws. */
  async end(deviceId: string): Promise<void> {
    if (this.configuration.mosquittoDir === null) return;
    try {
      const identity = await clientIdentity(this.authority, deviceId, Date.now(), CERTIFICATE_MS);
      const client = await connectAsync(
        this.address.forServer(),
        {
          clientId: deviceId,
          ca: this.address.authorities,
          cert: identity.certificate,
          key: identity.privateKey,
          reconnectPeriod: 0,
          connectTimeout: CONNECT_TIMEOUT_MS,
        },
        false,
      );
      await client.endAsync(true);
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.logger.error({ msg: 'a live connection was not ended', deviceId, why });
    }
  }
}
