import { randomUUID } from 'node:crypto';
import { Injectable, Logger, type OnModuleDestroy } from '@nestjs/common';
import {
  CONTENT_FILTER,
  contentTopic,
  decodeChunk,
  downTopic,
  encodeChunk,
  encodeMessage,
  LIMITS,
  parseTopic,
  ProtocolError,
  REVOCATIONS_TOPIC,
  SERVER_FILTER,
  SERVER_NAME,
  type Ack,
  type ChunkFrame,
  type Measure,
  type ShadowOrder,
  type TargetMessage,
} from '@espalier/protocol';
import { connect, type MqttClient } from 'mqtt';
import { ServerError } from '../errors.js';
import { Database } from '../persistence/database.js';

interface DownBodies {
  target: TargetMessage;
  ack: Ack;
  measure: Measure;
  shadow: ShadowOrder;
}

const RECONNECT_MS = 500;
const PUBLISH_TIMEOUT_MS = 10_000;
const ECHO_TIMEOUT_MS = 1_000;
const REVOCATIONS_AT_ONCE = 1_000;

/** How the server shows itself to the broker. */
export interface ServerLogin {
  readonly url: string;
  /** PEM: whom to know the broker by, and whom to show. */
  readonly authorities: string;
  readonly certificate: string;
  readonly privateKey: string;
}

/** The server's MQTT connection: what devices say comes in, what they are told goes out. */
@Injectable()
export class DeviceChannel implements OnModuleDestroy {
  private readonly logger = new Logger('mqtt');
  private client: MqttClient | null = null;
  private readonly echoes = new Map<string, () => void>();

  constructor(private readonly database: Database) {}

  get connected(): boolean {
    return this.client?.connected ?? false;
  }

  /**
   * Connects, and keeps connected.
   * @param onMessage called with every message of a device
   * @param onConnect called after each (re)connection, once subscribed
   */
  start(
    { url, authorities, certificate, privateKey }: ServerLogin,
    onMessage: (topic: string, payload: Uint8Array) => void,
    onConnect: () => void,
  ): void {
    const client = connect(url, {
      clientId: SERVER_NAME,
      ca: authorities,
      cert: certificate,
      key: privateKey,
      clean: true,
      resubscribe: false,
      queueQoSZero: false,
      reconnectPeriod: RECONNECT_MS,
      reconnectOnConnackError: true,
      connectTimeout: 5_000,
    });
    this.client = client;
    client.on('connect', () => {
      client
        .subscribeAsync({ [SERVER_FILTER]: { qos: 1 }, [CONTENT_FILTER]: { qos: 0 } })
        .then(() => {
          this.logger.log({ msg: 'connected to the broker', url });
          onConnect();
        })
        .catch((cause: unknown) => this.logger.warn(cause));
    });
    client.on('error', (error) => this.logger.warn({ msg: 'broker', error: error.message }));
    client.on('message', (topic, payload) => {
      if (!this.heardEcho(topic, payload)) onMessage(topic, payload);
    });
  }

  /**
   * Tells one device something, at least once while it is connected or has a session. An
   * acknowledgement goes at most once: one that is lost is asked for by the message it is of.
   * @throws ServerError DEVICE_UNREACHABLE when there is no broker connection
   */
  async publish<K extends keyof DownBodies>(
    deviceId: string,
    kind: K,
    body: DownBodies[K],
  ): Promise<void> {
    const bytes = this.encode(body);
    if (bytes.byteLength > LIMITS.controlMessageBytes) {
      throw new ServerError(
        'DEVICE_UNREACHABLE',
        500,
        `The ${kind} message of ${bytes.byteLength} bytes is over the limit of ${LIMITS.controlMessageBytes}.`,
      );
    }
    await this.send(downTopic(deviceId, kind), bytes, kind === 'ack' ? 0 : 1);
  }

  /** Sends one chunk to one device, at most once: what is lost is asked for again. */
  async publishChunk(deviceId: string, frame: ChunkFrame): Promise<void> {
    await this.send(downTopic(deviceId, 'chunk'), encodeChunk(frame), 0);
  }

  /**
   * Sends one chunk to every device that listens to the artifact, at most once. Resolves once the
   * broker has passed it on, which is known from this server's own copy; so the next one is sent at
   * the broker's pace, and little is on the way when a rollout is halted.
   */
  async broadcastChunk(frame: ChunkFrame): Promise<void> {
    const key = echoKey(frame);
    let timer: NodeJS.Timeout | undefined;
    const echo = new Promise<void>((resolve) => {
      this.echoes.set(key, resolve);
      timer = setTimeout(resolve, ECHO_TIMEOUT_MS);
    });
    try {
      await this.send(contentTopic(frame.artifactSha256), encodeChunk(frame), 0);
      await echo;
    } finally {
      clearTimeout(timer);
      this.echoes.delete(key);
    }
  }

  /** Tells our broker whose certificates are void; another broker's clients may not hear it. */
  async publishRevocations(deviceIds: readonly string[]): Promise<void> {
    for (let at = 0; at < deviceIds.length; at += REVOCATIONS_AT_ONCE) {
      const revoked = deviceIds.slice(at, at + REVOCATIONS_AT_ONCE);
      await this.send(REVOCATIONS_TOPIC, this.encode({ revoked }), 1);
    }
  }

  async onModuleDestroy(): Promise<void> {
    await this.client?.endAsync(true);
  }

  private encode(body: object): Uint8Array {
    const sentAt = new Date().toISOString();
    return encodeMessage({ id: randomUUID(), sentAt, epoch: this.database.epoch }, body);
  }

  /** Whether a message is this server's own broadcast. */
  private heardEcho(topic: string, payload: Uint8Array): boolean {
    try {
      if (parseTopic(topic).direction !== 'content') return false;
      this.echoes.get(echoKey(decodeChunk(payload)))?.();
      return true;
    } catch (cause) {
      if (cause instanceof ProtocolError) return false;
      throw cause;
    }
  }

  private async send(topic: string, bytes: Uint8Array, qos: 0 | 1): Promise<void> {
    const { client } = this;
    if (!client?.connected) {
      throw new ServerError('DEVICE_UNREACHABLE', 503, 'The server has no broker connection now.');
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new ServerError('DEVICE_UNREACHABLE', 503, 'The broker does not answer.')),
        PUBLISH_TIMEOUT_MS,
      );
    });
    try {
      await Promise.race([client.publishAsync(topic, Buffer.from(bytes), { qos }), late]);
    } finally {
      clearTimeout(timer);
    }
  }
}

const echoKey = ({ artifactSha256, index }: ChunkFrame): string => `${artifactSha256}/${index}`;
