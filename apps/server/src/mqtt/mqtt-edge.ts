import { randomBytes } from 'node:crypto';
import {
  Inject,
  Injectable,
  Logger,
  type OnApplicationBootstrap,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { publicKeyBase64 } from '@espalier/trust';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { Keyring } from '../release/keyring.js';
import { Rollouts } from '../rollout/rollouts.js';
import { BrokerAddress } from './broker-address.js';
import { BrokerProcess } from './broker-process.js';
import { DeviceChannel } from './device-channel.js';
import { DeviceMessages } from './device-messages.js';

const SERVER_USER = 'espalier-server';

/** Brings the MQTT side up: the broker, ours unless one is given, and the connection to it. */
@Injectable()
export class MqttEdge implements OnApplicationBootstrap, OnApplicationShutdown {
  private readonly logger = new Logger('mqtt');
  private broker: BrokerProcess | null = null;

  constructor(
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
    private readonly keyring: Keyring,
    private readonly address: BrokerAddress,
    private readonly channel: DeviceChannel,
    private readonly messages: DeviceMessages,
    private readonly rollouts: Rollouts,
  ) {}

  async onApplicationBootstrap(): Promise<void> {
    const { brokerUrl, brokerPublicUrl } = this.configuration;
    const login = brokerUrl ? loginOf(brokerUrl) : await this.startBroker();
    this.address.set(login.url, brokerPublicUrl);
    this.channel.start(
      login,
      (topic, payload) => this.messages.receive(topic, payload),
      () => {
        this.rollouts.offerAgain().catch((cause: unknown) => this.logger.error(cause));
      },
    );
  }

  async onApplicationShutdown(): Promise<void> {
    await this.broker?.stop();
  }

  private async startBroker(): Promise<{ url: string; username: string; password: string }> {
    const serverSecret = randomBytes(24).toString('base64url');
    this.broker = new BrokerProcess({
      host: this.configuration.brokerHost,
      port: this.configuration.brokerPort,
      credentialKey: publicKeyBase64(this.keyring.online),
      serverUser: SERVER_USER,
      serverSecret,
      logLevel: this.configuration.logLevel === 'fatal' ? 'error' : this.configuration.logLevel,
    });
    const url = await this.broker.start();
    this.logger.log({ msg: 'broker started', url, pid: this.broker.pid });
    return { url, username: SERVER_USER, password: serverSecret };
  }
}

/** User and password are taken out of the URL, which devices are told without them. */
function loginOf(brokerUrl: string): { url: string; username: string; password: string } {
  const url = new URL(brokerUrl);
  const username = decodeURIComponent(url.username) || SERVER_USER;
  const password = decodeURIComponent(url.password);
  return { url: `${url.protocol}//${url.host}`, username, password };
}
