import {
  contentTopic,
  deviceFilter,
  fullJitter,
  parseTopic,
  ProtocolError,
  upTopic,
  type DownKind,
  type UpKind,
} from '@espalier/protocol';
import mqtt, { type MqttClient } from 'mqtt';

const KEEPALIVE_S = 30;
const CONNECT_TIMEOUT_MS = 10_000;
/** A connection that lasted so long starts the backoff anew. */
const SETTLED_MS = 10_000;
/** How long a slow device takes to read a chunk. */
const SLOW_READ_MS = 200;

/** Who connects where, whom to know the broker by, and what to show it (PEM). */
export interface Login {
  readonly brokerUrl: string;
  readonly deviceId: string;
  readonly authorities: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** What a connection tells its device. */
export interface ConnectionListener {
  connected(): void;
  disconnected(): void;
  message(kind: DownKind, payload: Uint8Array): void;
}

/** How fast a device reads its socket. */
export type Reading = 'fast' | 'slow' | 'not';

/** One device's MQTT connection, kept up with backoff and full jitter. */
export class Connection {
  #client: MqttClient | null = null;
  #timer: NodeJS.Timeout | undefined;
  #attempt = 0;
  #ready = false;
  #stopped = false;
  #artifact: string | null = null;
  #awayMs: number | null = null;
  reading: Reading = 'fast';

  constructor(
    private readonly login: Login,
    private readonly listener: ConnectionListener,
  ) {}

  get ready(): boolean {
    return this.#ready;
  }

  start(): void {
    const { brokerUrl, deviceId, authorities, certificate, privateKey } = this.login;
    const client = mqtt.connect(brokerUrl, {
      clientId: deviceId,
      ca: authorities,
      cert: certificate,
      key: privateKey,
      protocolVersion: 4,
      clean: true,
      keepalive: KEEPALIVE_S,
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      // It would hold six megabytes of numbers written out.
      writeCache: false,
    });
    this.#client = client;
    client.handleMessage = (packet, done) => {
      if (this.reading === 'fast' || packet.topic.endsWith('/target')) done();
      else if (this.reading === 'slow') setTimeout(done, SLOW_READ_MS);
    };
    let connectedAt = 0;
    client.on('connect', () => {
      connectedAt = performance.now();
      void this.#subscribe(client);
    });
    client.on('message', (topic, payload) => this.#receive(topic, payload));
    client.on('error', () => undefined);
    client.once('close', () => {
      if (connectedAt > 0 && performance.now() - connectedAt > SETTLED_MS) this.#attempt = 0;
      this.#closed();
    });
  }

  send(kind: UpKind, payload: Uint8Array): void {
    if (!this.#ready) return;
    const topic = upTopic(this.login.deviceId, kind);
    this.#client?.publish(topic, Buffer.from(payload), { qos: kind === 'need' ? 0 : 1 });
  }

  listenTo(artifactSha256: string | null): void {
    if (artifactSha256 === this.#artifact) return;
    if (this.#ready && this.#artifact) this.#client?.unsubscribe(contentTopic(this.#artifact));
    if (this.#ready && artifactSha256) {
      this.#client?.subscribe(contentTopic(artifactSha256), { qos: 0 });
    }
    this.#artifact = artifactSha256;
  }

  /** Loses the connection, and does not come back for a while. */
  cut(awayMs: number): void {
    this.#awayMs = awayMs;
    this.#client?.stream.destroy();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#client?.endAsync(true);
  }

  async #subscribe(client: MqttClient): Promise<void> {
    try {
      await client.subscribeAsync(deviceFilter(this.login.deviceId), { qos: 1 });
      if (this.#artifact) await client.subscribeAsync(contentTopic(this.#artifact), { qos: 0 });
    } catch {
      client.end(true);
      return;
    }
    if (this.#stopped || client !== this.#client) return;
    this.#ready = true;
    this.listener.connected();
  }

  #receive(text: string, payload: Uint8Array): void {
    try {
      const topic = parseTopic(text);
      if (topic.direction === 'up') return;
      this.listener.message(topic.direction === 'content' ? 'chunk' : topic.kind, payload);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
  }

  #closed(): void {
    const wasReady = this.#ready;
    this.#ready = false;
    if (wasReady) this.listener.disconnected();
    if (this.#stopped) return;
    const wait = this.#awayMs ?? fullJitter(this.#attempt, Math.random());
    this.#awayMs = null;
    this.#attempt += 1;
    this.#timer = setTimeout(() => this.start(), wait);
  }
}
