import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { CertificateAuthority, clientIdentity } from '@espalier/authority';
import { SERVER_NAME } from '@espalier/protocol';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { Revocations } from '../fleet/revocations.js';
import { Rollouts } from '../rollout/rollouts.js';
import { BrokerAddress } from './broker-address.js';
import { BrokerFiles } from './broker-files.js';
import { BrokerProcess } from './broker-process.js';
import { DeviceChannel } from './device-channel.js';
import { DeviceMessages } from './device-messages.js';

/** Brings the MQTT side up: the broker, ours unless one is given, and the connection to it. */
@Injectable()
export class MqttEdge implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('mqtt');
  private broker: BrokerProcess | null = null;

  constructor(
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
    private readonly authority: CertificateAuthority,
    private readonly files: BrokerFiles,
    private readonly address: BrokerAddress,
    private readonly channel: DeviceChannel,
    private readonly messages: DeviceMessages,
    private readonly revocations: Revocations,
    private readonly rollouts: Rollouts,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { brokerUrl, brokerPublicUrl, brokerAuthority, brokerIdentity } = this.configuration;
    await this.revocations.write();
    const url = brokerUrl ?? (await this.startBroker());
    const authorities = (brokerUrl && brokerAuthority) ?? this.authority.pem;
    this.address.set(url, brokerPublicUrl, authorities);
    const identity =
      brokerIdentity ?? (await clientIdentity(this.authority, SERVER_NAME, Date.now()));
    this.channel.start(
      { url, authorities, ...identity },
      (topic, payload) => this.messages.receive(topic, payload),
      () => {
        void this.revocations.tell();
        this.rollouts.offerAgain().catch((cause: unknown) => this.logger.error(cause));
      },
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await this.broker?.stop();
  }

  private async startBroker(): Promise<string> {
    await this.files.writeIdentity();
    this.broker = new BrokerProcess({
      host: this.configuration.brokerHost,
      port: this.configuration.brokerPort,
      files: this.files.paths,
      logLevel: this.configuration.logLevel === 'fatal' ? 'error' : this.configuration.logLevel,
    });
    const url = await this.broker.start();
    this.logger.log({ msg: 'broker started', url, pid: this.broker.pid });
    return url;
  }
}
