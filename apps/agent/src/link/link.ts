import {
  contentTopic,
  deviceFilter,
  encodeMessage,
  fullJitter,
  parseTopic,
  ProtocolError,
  upTopic,
  type DownKind,
  type UpKind,
} from '@espalier/protocol';
import mqtt, { type MqttClient } from 'mqtt';
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';

const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that lasted so long starts the backoff anew. */
const SETTLED_MS = 10_000;

/** What the link tells its user. */
export interface LinkListener {
  /** Subscribed, and ready to speak. */
  connected(): void;
  disconnected(): void;
  /** A message of the server's to this device, or a broadcast chunk. */
  message(kind: DownKind, payload: Uint8Array): void;
}

/** Where the broker is, whom to know it by, and what to show it; all but the address PEM. */
export interface Login {
  readonly brokerUrl: string;
  readonly authorities: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** Who connects where. */
export interface LinkOptions {
  readonly deviceId: string;
  /** Asked before each connection, since certificates are renewed. */
  readonly login: () => Login;
  /** Longest silence before a ping, seconds. */
  readonly keepaliveS: number;
}

/** The MQTT connection: kept up by trying again with backoff; what it cannot send is lost. */
export class Link {
  #client: MqttClient | null = null;
  #timer: NodeJS.Timeout | undefined;
  #attempt = 0;
  #ready = false;
  #stopped = false;
  #contentTopic: string | null = null;

  constructor(
    private readonly options: LinkOptions,
    private readonly listener: LinkListener,
    private readonly log: Logger,
  ) {}

  /** Whether messages can be sent now. */
  get ready(): boolean {
    return this.#ready;
  }

  start(): void {
    const { deviceId, keepaliveS } = this.options;
    const { brokerUrl, authorities, certificate, privateKey } = this.options.login();
    const client = mqtt.connect(brokerUrl, {
      clientId: deviceId,
      ca: authorities,
      cert: certificate,
      key: privateKey,
      protocolVersion: 4,
      clean: true,
      keepalive: keepaliveS,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      // It would hold six megabytes of numbers written out.
      writeCache: false,
    });
    this.#client = client;
    let connectedAt = 0;
    client.on('connect', () => {
      connectedAt = performance.now();
      void this.#subscribe(client);
    });
    client.on('message', (topic, payload) => this.#receive(topic, payload));
    client.on('error', (error) => this.log.warn({ reason: error.message }, 'link error'));
    client.once('close', () => {
      if (connectedAt > 0 && performance.now() - connectedAt > SETTLED_MS) this.#attempt = 0;
      this.#closed();
    });
  }

  /** Sends a control message; nothing happens while there is no connection. Returns its id. */
  send(kind: UpKind, body: object, epoch: number): string {
    const id = randomUUID();
    const payload = encodeMessage({ id, sentAt: new Date().toISOString(), epoch }, body);
    this.sendEncoded(kind, payload, kind === 'need' ? 0 : 1);
    return id;
  }

  /** Sends a message that is encoded already. */
  sendEncoded(kind: UpKind, payload: Uint8Array, qos: 0 | 1): void {
    if (!this.#ready) return;
    this.#client?.publish(upTopic(this.options.deviceId, kind), Buffer.from(payload), { qos });
  }

  /** Listens to the broadcast of one artifact, or to none. */
  listenToContent(artifactSha256: string | null): void {
    const topic = artifactSha256 === null ? null : contentTopic(artifactSha256);
    if (topic === this.#contentTopic) return;
    if (this.#ready && this.#contentTopic) this.#client?.unsubscribe(this.#contentTopic);
    if (this.#ready && topic) this.#client?.subscribe(topic, { qos: 0 });
    this.#contentTopic = topic;
  }

  /** Disconnects for good. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#client?.endAsync();
  }

  async #subscribe(client: MqttClient): Promise<void> {
    try {
      await client.subscribeAsync(deviceFilter(this.options.deviceId), { qos: 1 });
      if (this.#contentTopic) await client.subscribeAsync(this.#contentTopic, { qos: 0 });
    } catch (error) {
      this.log.warn({ err: error }, 'the broker refused the subscription');
      client.end(true);
      return;
    }
    if (this.#stopped || client !== this.#client) return;
    this.#ready = true;
    this.log.info('connected');
    this.listener.connected();
  }

  #receive(text: string, payload: Uint8Array): void {
    try {
      const topic = parseTopic(text);
      if (topic.direction === 'up') return;
      this.listener.message(topic.direction === 'content' ? 'chunk' : topic.kind, payload);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.log.warn({ code: error.code, reason: error.message }, 'message dropped');
    }
  }

  #closed(): void {
    const wasReady = this.#ready;
    this.#ready = false;
    if (wasReady) this.listener.disconnected();
    if (this.#stopped) return;
    const wait = fullJitter(this.#attempt, Math.random());
    this.#attempt += 1;
    this.log.info({ attempt: this.#attempt, waitMs: wait }, 'disconnected, trying again');
    this.#timer = setTimeout(() => this.start(), wait);
  }
}
