/**
 * The least of a server that an agent needs, built on the same libs as the real one: enrolment over
 * HTTP, and targets, chunks and acknowledgements over the real broker.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { EventEmitter, once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync } from 'node:zlib';
import { answerNeed, chunkOf } from '@espalier/delivery';
import {
  decodeMessage,
  downTopic,
  encodeChunk,
  encodeMessage,
  enrolRequestSchema,
  parseTopic,
  SERVER_FILTER,
  SERVER_NAME,
  UP_SCHEMAS,
  type ChunkFrame,
  type DownKind,
  type EnrolResponse,
  type Hello,
  type Need,
  type Profile,
  type ReportPayload,
  type TargetMessage,
  type Telemetry,
} from '@espalier/protocol';
import {
  BROKER_FILES,
  brokerIdentity,
  CertificateAuthority,
  clientIdentity,
} from '@espalier/authority';
import { createClaimToken, publicKeyObject, sign, verifyReport } from '@espalier/trust';
import mqtt, { type MqttClient } from 'mqtt';
import { Authority, type TargetSpec } from './authority.js';
import { startMosquitto } from './mosquitto.js';

const BROKER = fileURLToPath(new URL('../../broker/dist/main.js', import.meta.url));
const DAY_MS = 86_400_000;

export type BrokerKind = 'our own broker' | 'Mosquitto';

/** One device as the stub sees it. */
interface Device {
  publicKey: Uint8Array;
  manifest?: { artifact: Uint8Array; message: TargetMessage; generation: number };
}

export class StubServer extends EventEmitter {
  readonly authority = new Authority();
  readonly reports: ReportPayload[] = [];
  readonly telemetry: Telemetry[] = [];
  readonly hellos: Hello[] = [];
  readonly profiles: Profile[] = [];
  readonly needs: Need[] = [];
  /** Says more when a wait is in vain. */
  context = (): string => '';
  /** Whether control messages that must be committed are acknowledged. */
  acknowledges = true;
  /** Chunks that are still sent before the stub falls silent. */
  chunkAllowance = Infinity;
  /** Port that devices are told instead of the broker's. */
  toldPort: number | null = null;
  /** What becomes of a chunk frame on its way, as at the hand of the broker. */
  onTheWay: (frame: ChunkFrame) => ChunkFrame = (frame) => frame;
  /** Waits so long between two chunks, so that a test can act in between. */
  chunkPaceMs = 0;
  readonly #devices = new Map<string, Device>();
  #broker!: ChildProcess;
  #brokerPort = 0;
  #http!: Server;
  #certificates!: CertificateAuthority;
  readonly #folder = mkdtempSync(join(tmpdir(), 'espalier-stub-'));
  #client!: MqttClient;

  constructor(private readonly brokerKind: BrokerKind = 'our own broker') {
    super();
  }

  async start(): Promise<void> {
    this.#certificates = await CertificateAuthority.open(
      await CertificateAuthority.create(Date.now()),
    );
    const broker = await brokerIdentity(this.#certificates, ['127.0.0.1'], Date.now());
    writeFileSync(this.#file('ca'), this.#certificates.pem);
    writeFileSync(this.#file('certificate'), broker.certificate);
    writeFileSync(this.#file('privateKey'), broker.privateKey, { mode: 0o600 });
    await this.startBroker();
    this.#http = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        response.setHeader('content-type', 'application/json');
        void this.#enrol(Buffer.concat(parts).toString()).then((answer) =>
          response.end(JSON.stringify(answer)),
        );
      });
    }).listen(0, '127.0.0.1');
    await once(this.#http, 'listening');
  }

  get brokerPort(): number {
    return this.#brokerPort;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#http.address() as AddressInfo).port}`;
  }

  token(): string {
    return createClaimToken(this.authority.rootKey.keyId).text;
  }

  async startBroker(): Promise<void> {
    const { process: broker, port } =
      this.brokerKind === 'Mosquitto'
        ? await startMosquitto(this.#folder, this.#certificates, this.#brokerPort)
        : await this.#startOwn();
    this.#broker = broker;
    this.#brokerPort = port;
    const identity = await clientIdentity(this.#certificates, SERVER_NAME, Date.now());
    this.#client = mqtt.connect(this.#brokerUrl(this.#brokerPort), {
      clientId: SERVER_NAME,
      ca: this.#certificates.pem,
      cert: identity.certificate,
      key: identity.privateKey,
      reconnectPeriod: 0,
    });
    this.#client.on('error', () => undefined);
    this.#client.on('message', (topic, payload) => this.#receive(topic, payload));
    await new Promise<void>((resolve) => this.#client.once('connect', () => resolve()));
    await this.#client.subscribeAsync(SERVER_FILTER, { qos: 1 });
  }

  async #startOwn(): Promise<{ process: ChildProcess; port: number }> {
    const broker = spawn(process.execPath, [BROKER], {
      stdio: ['pipe', 'pipe', 'ignore'],
      env: {
        ...process.env,
        ESPALIER_BROKER_PORT: String(this.#brokerPort),
        ESPALIER_BROKER_CA_FILE: this.#file('ca'),
        ESPALIER_BROKER_CERT_FILE: this.#file('certificate'),
        ESPALIER_BROKER_KEY_FILE: this.#file('privateKey'),
      },
    });
    const [line] = (await once(createInterface({ input: broker.stdout }), 'line')) as [string];
    return { process: broker, port: (JSON.parse(line) as { port: number }).port };
  }

  async stopBroker(): Promise<void> {
    await this.#client.endAsync(true);
    const exited = once(this.#broker, 'exit');
    this.#broker.kill();
    await exited;
  }

  async stop(): Promise<void> {
    await this.stopBroker();
    this.#http.closeAllConnections();
    this.#http.close();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** The target message that {@link target} would send, of which nothing is kept. */
  messageFor(deviceId: string, spec: TargetSpec): TargetMessage {
    return this.authority.message(deviceId, spec, artifactOf(spec));
  }

  /** Gives a device a target: now if it is connected, and at every hello. */
  async target(deviceId: string, spec: TargetSpec): Promise<TargetMessage> {
    const device = this.#devices.get(deviceId)!;
    const artifact = artifactOf(spec);
    const message = this.authority.message(deviceId, spec, artifact);
    device.manifest = { artifact, message, generation: spec.generation };
    await this.send(deviceId, 'target', message);
    return message;
  }

  /** Offers a device nothing from now on, as a halt does. */
  withdraw(deviceId: string): void {
    delete this.#devices.get(deviceId)?.manifest;
  }

  async send(deviceId: string, kind: DownKind, body: object): Promise<void> {
    const envelope = { id: randomUUID(), sentAt: new Date().toISOString(), epoch: 1 };
    await this.sendBytes(deviceId, kind, encodeMessage(envelope, body));
  }

  /** Sends bytes as they are. */
  async sendBytes(deviceId: string, kind: DownKind, bytes: Uint8Array): Promise<void> {
    const client = this.#client;
    try {
      await client.publishAsync(downTopic(deviceId, kind), Buffer.from(bytes), { qos: 1 });
    } catch (cause) {
      // What is under way when the stub itself goes is lost, as with a server that is stopped.
      if (!client.disconnecting) throw cause;
    }
  }

  /** Waits until something that has happened, or will, satisfies a condition. */
  async until<T>(find: () => T | undefined, what: string, timeoutMs = 90_000): Promise<T> {
    const deadline = AbortSignal.timeout(timeoutMs);
    for (;;) {
      const found = find();
      if (found !== undefined) return found;
      try {
        await once(this, 'change', { signal: deadline });
      } catch {
        const last = JSON.stringify(this.reports.at(-1));
        throw new Error(
          `Waited ${timeoutMs} ms for ${what}; the last report was ${last}\n${this.context()}`,
        );
      }
    }
  }

  /** Waits for a report of a generation in a state. */
  reported(generation: number, state: ReportPayload['state']): Promise<ReportPayload> {
    return this.until(
      () => this.reports.find((r) => r.generation === generation && r.state === state),
      `a report of generation ${generation} as ${state}`,
    );
  }

  async #enrol(body: string): Promise<EnrolResponse> {
    const request = enrolRequestSchema.parse(JSON.parse(body));
    const deviceId = `dev-${request.name}`;
    const publicKey = Buffer.from(request.publicKey, 'base64');
    this.#devices.set(deviceId, { publicKey });
    const { pem: certificate, expires } = await this.#certificates.issue(
      {
        commonName: deviceId,
        publicKey: publicKeyObject(publicKey),
        use: 'client',
        lifetimeMs: DAY_MS,
      },
      Date.now(),
    );
    const membership = {
      type: 'membership',
      deviceId,
      brokerUrl: this.#brokerUrl(this.toldPort ?? this.#brokerPort),
      authorities: this.#certificates.pem,
      certificate,
      issued: new Date().toISOString(),
      expires: expires.toISOString(),
    };
    return {
      deviceId,
      root: this.authority.root(),
      membership: sign('membership', membership, [this.authority.onlineKey]),
    };
  }

  #brokerUrl(port: number): string {
    return `mqtts://127.0.0.1:${port}`;
  }

  #file(name: keyof typeof BROKER_FILES): string {
    return join(this.#folder, BROKER_FILES[name]);
  }

  #receive(text: string, payload: Uint8Array): void {
    const topic = parseTopic(text);
    if (topic.direction !== 'up') return;
    const { deviceId } = topic;
    const device = this.#devices.get(deviceId)!;
    const acknowledge = (of: string) => {
      if (this.acknowledges) void this.send(deviceId, 'ack', { of });
    };
    switch (topic.kind) {
      case 'hello': {
        const { id, body } = decodeMessage(payload, UP_SCHEMAS.hello);
        this.hellos.push(body);
        acknowledge(id);
        if (device.manifest) void this.send(deviceId, 'target', device.manifest.message);
        break;
      }
      case 'profile': {
        const { id, body } = decodeMessage(payload, UP_SCHEMAS.profile);
        this.profiles.push(body.profile);
        acknowledge(id);
        break;
      }
      case 'report': {
        const { id, body } = decodeMessage(payload, UP_SCHEMAS.report);
        this.reports.push(verifyReport(body.report, device.publicKey));
        acknowledge(id);
        break;
      }
      case 'telemetry': {
        const { id, body } = decodeMessage(payload, UP_SCHEMAS.telemetry);
        this.telemetry.push(body);
        acknowledge(id);
        break;
      }
      case 'need': {
        const { body } = decodeMessage(payload, UP_SCHEMAS.need);
        this.needs.push(body);
        if (device.manifest) void this.#answer(deviceId, device.manifest, body);
        break;
      }
    }
    this.emit('change');
  }

  async #answer(
    deviceId: string,
    { artifact, message, generation }: NonNullable<Device['manifest']>,
    need: Need,
  ): Promise<void> {
    const { manifest } = message;
    const answer = answerNeed(need, { generation, manifest });
    if (answer.kind !== 'send') return;
    for (const index of answer.indices) {
      if (this.chunkAllowance <= 0) return;
      this.chunkAllowance -= 1;
      const payload = chunkOf(artifact, manifest, index);
      const frame = encodeChunk(this.onTheWay({ artifactSha256: manifest.sha256, index, payload }));
      this.#client.publish(downTopic(deviceId, 'chunk'), Buffer.from(frame), { qos: 0 });
      if (this.chunkPaceMs > 0) await new Promise((done) => setTimeout(done, this.chunkPaceMs));
    }
  }
}

const artifactOf = ({ model, encoding = 'brotli' }: TargetSpec): Uint8Array =>
  encoding === 'brotli' ? brotliCompressSync(model) : model;
