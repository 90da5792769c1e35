import { randomUUID } from 'node:crypto';
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

/** Where the link says how it goes; pino's loggers are such. */
export interface LinkLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

/** Where the broker is, whom to know it by, and what to show it; all but the address PEM. */
export interface Login {
  readonly brokerUrl: string;
  readonly authorities: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** Who connects where, and how. */
export interface LinkOptions {
  readonly deviceId: string;
  /** Asked before each connection, since certificates are renewed. */
  readonly login: () => Login;
  /** Longest silence before a ping, seconds. */
  readonly keepaliveS: number;
  /** Milliseconds before the next attempt; by default exponential, with full jitter. */
  readonly waitMs?: (attempt: number) => number;
  /** Calls `done` once a message is to be taken off the socket; by default that is at once. */
  readonly taking?: (topic: string, done: () => void) => void;
}

/**
 * A device's MQTT connection: kept up by trying again with backoff; what it cannot send is lost. Each
 * attempt is a client of its own, since mqtt.js connects again at a fixed rate, without jitter.
 */
export class DeviceLink {
  #client: MqttClient | null = null;
  #timer: NodeJS.Timeout | undefined;
  #attempt = 0;
  #ready = false;
  #stopped = false;
  #contentTopic: string | null = null;

  constructor(
    private readonly options: LinkOptions,
    private readonly listener: LinkListener,
    private readonly log: LinkLog,
  ) {}

  /** Whether messages can be sent now. */
  get ready(): boolean {
    return this.#ready;
  }

  start(): void {
    const { deviceId, keepaliveS, login, taking } = this.options;
    const { brokerUrl, authorities, certificate, privateKey } = login();
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
    if (taking) client.handleMessage = ({ topic }, done) => taking(topic, done);
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
    this.sendEncoded(kind, encodeMessage({ id, sentAt: new Date().toISOString(), epoch }, body));
    return id;
  }

  /** Sends a message that is encoded already: a `need` at most once, all else at least once. */
  sendEncoded(kind: UpKind, payload: Uint8Array): void {
    if (!this.#ready) return;
    const topic = upTopic(this.options.deviceId, kind);
    this.#client?.publish(topic, Buffer.from(payload), { qos: kind === 'need' ? 0 : 1 });
  }

  /** Listens to the broadcast of one artifact, or to none. */
  listenToContent(artifactSha256: string | null): void {
    const topic = artifactSha256 === null ? null : contentTopic(artifactSha256);
    if (topic === this.#contentTopic) return;
    if (this.#ready && this.#contentTopic) this.#client?.unsubscribe(this.#contentTopic);
    if (this.#ready && topic) this.#client?.subscribe(topic, { qos: 0 });
    this.#contentTopic = topic;
  }

  /** Breaks the connection off, which is then taken up again as after any other loss. */
  breakOff(): void {
    this.#client?.stream.destroy();
  }

  /** Disconnects for good. @param atOnce without a goodbye to the broker */
  async stop(atOnce = false): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#client?.endAsync(atOnce);
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
    this.log.info({}, 'connected');
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
    const { waitMs = (attempt) => fullJitter(attempt, Math.random()) } = this.options;
    const wait = waitMs(this.#attempt);
    this.#attempt += 1;
    this.log.info({ attempt: this.#attempt, waitMs: wait }, 'disconnected, trying again');
    this.#timer = setTimeout(() => this.start(), wait);
  }
}
