import { randomUUID } from 'node:crypto';
import { Receiver } from '@espalier/delivery';
import {
  decodeChunk,
  decodeMessage,
  deviceFilter,
  DOWN_SCHEMAS,
  encodeMessage,
  KERNELS,
  parseTopic,
  upTopic,
  type EnrolResponse,
  type InstallState,
  type Membership,
  type Profile,
  type Release,
  type Root,
  type ShadowOrder,
  type Target,
  type UpKind,
} from '@espalier/protocol';
import {
  enrolRequest,
  generateKeyPair,
  parseClaimToken,
  privateKeyPem,
  signReport,
  trustFirstRoot,
  verifyMembership,
  verifySigned,
  type KeyPair,
} from '@espalier/trust';
import { connectAsync, type IClientOptions, type MqttClient } from 'mqtt';
import type { ServerProcess } from './server-process.js';

/** How a scripted device answers a target. */
export type Behaviour = (
  target: Target,
  release: Release,
) => 'good' | 'wrong-hash' | 'fails' | 'refuses' | 'silent';

/** A profile as a device of `cores` and `memoryMiB` would measure it. */
export function profileOf(memoryMiB = 512): Profile {
  return {
    schemaVersion: 1,
    measuredAt: new Date().toISOString(),
    agentVersion: 'test',
    runtime: { name: 'onnxruntime', version: '1.30.0' },
    cpu: {
      model: 'scripted',
      arch: 'x64',
      cores: 2,
      isa: ['avx2'],
      frequencyMHz: 2000,
      temperatureC: null,
    },
    memory: {
      totalBytes: memoryMiB * 2 ** 20,
      limitBytes: memoryMiB * 2 ** 20,
      limitedBy: 'machine',
      freeBytes: memoryMiB * 2 ** 20,
      runtimeBytes: 64 * 2 ** 20,
    },
    storage: { freeBytes: 2 ** 30, limitBytes: 2 ** 30, limitedBy: 'machine' },
    emulatedSlowdown: null,
    callOverheadMs: [{ threads: 1, ms: 0.02 }],
    kernels: KERNELS.flatMap(({ id }) =>
      (['fp32', 'int8'] as const).map((precision) => ({
        id,
        precision,
        threads: 1,
        medianMs: precision === 'int8' ? 0.05 : 0.1,
        spread: 0.05,
        runs: 20,
      })),
    ),
    measuringSeconds: 1,
  };
}

/** A device of the test: the real protocol and real signatures; what it loads is as scripted. */
export class ScriptedDevice {
  readonly acks: string[] = [];
  readonly targets: Target[] = [];
  readonly orders: ShadowOrder[] = [];
  readonly epochs: number[] = [];
  measures = 0;
  generation = 0;
  /** Most targets that it was at work on at once. */
  served = 0;
  private working = new Set<number>();
  receivedBytes = 0;
  artifact: Uint8Array | null = null;
  running: { releaseId: string; variantId: string; modelSha256: string } | null = null;
  behaviour: Behaviour = () => 'good';
  /** Called before a target is acted on; a test may do something to the server here. */
  onTarget: (target: Target) => Promise<void> = () => Promise.resolve();
  private readonly unacknowledged = new Map<string, { kind: UpKind; body: unknown }>();
  private client: MqttClient | null = null;
  private repeating: NodeJS.Timeout | null = null;
  private chunksSeen = 0;
  private chunksAtRepeat = -1;
  private receiver: Receiver | null = null;
  private work: { target: Target; release: Release; bytes: Uint8Array } | null = null;

  private constructor(
    readonly enrolled: EnrolResponse,
    readonly membership: Membership,
    readonly key: KeyPair,
    readonly root: Root,
  ) {}

  get id(): string {
    return this.membership.deviceId;
  }

  /** How it joins the broker. */
  get login(): IClientOptions {
    const { authorities, certificate } = this.membership;
    return { ca: authorities, cert: certificate, key: privateKeyPem(this.key), clientId: this.id };
  }

  get brokerUrl(): string {
    return this.membership.brokerUrl;
  }

  static async enrol(
    server: ServerProcess,
    name: string,
    labels: Record<string, string> = {},
  ): Promise<ScriptedDevice> {
    const { token } = await server.ok<{ token: string }>('POST', '/api/v1/claim-tokens', {
      labels,
    });
    const key = generateKeyPair();
    const enrolled = await server.ok<EnrolResponse>(
      'POST',
      '/api/v1/enrolments',
      enrolRequest({ token, name, labels: {} }, key),
    );
    const root = trustFirstRoot(enrolled.root, parseClaimToken(token).rootKeyId);
    const device = { id: enrolled.deviceId, publicKey: key.publicKey };
    const membership = verifyMembership(enrolled.membership, root, device);
    return new ScriptedDevice(enrolled, membership, key, root);
  }

  /** Connects, listens, and says hello and, if given, a profile. */
  async connect(profile: Profile | null, brokerUrl = this.membership.brokerUrl): Promise<void> {
    const client = await connectAsync(brokerUrl, {
      ...this.login,
      clean: true,
      reconnectPeriod: 200,
      reconnectOnConnackError: true,
    });
    this.client = client;
    client.on('message', (topic, payload) => {
      void this.take(topic, payload);
    });
    client.on('connect', () => {
      void this.resume();
    });
    this.repeating = setInterval(() => void this.repeat(), 500);
    await client.subscribeAsync(deviceFilter(this.id), { qos: 1 });
    if (profile) await this.say('profile', { profile });
    await this.hello();
  }

  async disconnect(): Promise<void> {
    if (this.repeating) clearInterval(this.repeating);
    await this.client?.endAsync(true);
    this.client = null;
  }

  async hello(): Promise<void> {
    await this.say('hello', {
      agentVersion: 'test',
      bootId: 'boot',
      generation: this.generation,
      running: this.running,
      profileSha256: null,
    });
  }

  /** Sends a message; the same `id` again is the same message. */
  async say(kind: UpKind, body: unknown, id: string = randomUUID()): Promise<string> {
    if (kind === 'report' || kind === 'profile') this.unacknowledged.set(id, { kind, body });
    const epoch = this.epochs.at(-1) ?? 0;
    const bytes = encodeMessage({ id, sentAt: new Date().toISOString(), epoch }, body);
    if (this.client?.connected) {
      await this.client.publishAsync(upTopic(this.id, kind), Buffer.from(bytes), { qos: 0 });
    }
    return id;
  }

  /** Publishes bytes as they are. */
  async raw(kind: UpKind, payload: Buffer): Promise<void> {
    await this.client?.publishAsync(upTopic(this.id, kind), payload, { qos: 0 });
  }

  /** Waits until something is so of this device, at most two minutes. */
  async until(so: () => boolean): Promise<void> {
    for (const deadline = Date.now() + 120_000; !so();) {
      if (Date.now() > deadline) throw new Error(`${this.id} waited for ${String(so)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  async report(
    target: Target,
    state: InstallState,
    loadedSha256: string | null,
    key = this.key,
  ): Promise<string> {
    if (state === 'active' || state === 'failed') this.working.delete(target.generation);
    return this.say('report', {
      report: signReport(
        {
          type: 'report',
          deviceId: this.id,
          generation: target.generation,
          releaseId: target.releaseId,
          variantId: target.variantId,
          state,
          loadedSha256,
          probe: state === 'active' ? { latencyMs: 1, finite: true } : null,
          running: this.running,
          failure:
            state === 'failed' || state === 'refused'
              ? { code: 'PROBE_FAILED', message: 'scripted to fail' }
              : null,
          receivedBytes: this.receivedBytes,
          at: new Date().toISOString(),
        },
        key,
      ),
    });
  }

  private async resume(): Promise<void> {
    await this.client?.subscribeAsync(deviceFilter(this.id), { qos: 1 });
    await this.hello();
  }

  /** What was not answered is said again: unacknowledged messages, chunks that did not come. */
  private async repeat(): Promise<void> {
    if (!this.client?.connected) return;
    for (const [id, { kind, body }] of this.unacknowledged) await this.say(kind, body, id);
    if (this.chunksSeen === this.chunksAtRepeat) {
      this.receiver?.forgetAsked();
      await this.ask();
    }
    this.chunksAtRepeat = this.chunksSeen;
  }

  private async take(topic: string, payload: Uint8Array): Promise<void> {
    const parsed = parseTopic(topic);
    if (parsed.direction !== 'down') return;
    switch (parsed.kind) {
      case 'ack': {
        const message = decodeMessage(payload, DOWN_SCHEMAS.ack);
        this.epochs.push(message.epoch);
        this.acks.push(message.body.of);
        this.unacknowledged.delete(message.body.of);
        return;
      }
      case 'measure':
        this.measures += 1;
        return;
      case 'shadow':
        this.orders.push(decodeMessage(payload, DOWN_SCHEMAS.shadow).body);
        return;
      case 'target': {
        const message = decodeMessage(payload, DOWN_SCHEMAS.target);
        this.epochs.push(message.epoch);
        const target = verifySigned(message.body.target, 'target', this.root);
        verifySigned(message.body.timestamp, 'timestamp', this.root);
        const release = verifySigned(message.body.release, 'release', this.root);
        if (target.generation <= this.generation) return;
        this.targets.push(target);
        this.generation = target.generation;
        await this.onTarget(target);
        await this.begin(target, release, new Receiver(message.body.manifest));
        return;
      }
      case 'chunk': {
        const frame = decodeChunk(payload);
        this.chunksSeen += 1;
        const { receiver, work } = this;
        if (!receiver || !work || receiver.whole) return;
        const verdict = receiver.accept(frame);
        if (verdict.kind !== 'accepted') return;
        this.receivedBytes += frame.payload.byteLength;
        work.bytes.set(frame.payload, verdict.offset);
        if (receiver.whole) await this.finish();
        else if (receiver.outstanding === 0) await this.ask();
      }
    }
  }

  private async begin(target: Target, release: Release, receiver: Receiver): Promise<void> {
    const behaviour = this.behaviour(target, release);
    if (behaviour === 'silent') return;
    if (behaviour === 'refuses') {
      await this.report(target, 'refused', null);
      return;
    }
    this.working.add(target.generation);
    this.served = Math.max(this.served, this.working.size);
    if (target.modelSha256 === this.running?.modelSha256) {
      await this.report(target, 'active', target.modelSha256);
      return;
    }
    const { length } = receiver.manifest;
    this.receiver = receiver;
    this.work = { target, release, bytes: new Uint8Array(length) };
    await this.report(target, 'accepted', null);
    await this.ask();
  }

  private async ask(): Promise<void> {
    const { receiver, work } = this;
    if (!receiver || !work || receiver.whole) return;
    const { manifest } = receiver;
    const indices = receiver.ask(16);
    if (indices.length === 0) return;
    await this.say('need', {
      generation: work.target.generation,
      artifactSha256: manifest.sha256,
      chunkCount: manifest.chunks.length,
      receivedChunks: receiver.receivedChunks,
      held: Buffer.from(receiver.bitmap()).toString('base64'),
      indices,
    });
  }

  private async finish(): Promise<void> {
    const { work } = this;
    if (!work) return;
    const { target, release, bytes } = work;
    this.artifact = bytes;
    switch (this.behaviour(target, release)) {
      case 'good':
        this.running = {
          releaseId: target.releaseId,
          variantId: target.variantId,
          modelSha256: target.modelSha256,
        };
        await this.report(target, 'active', target.modelSha256);
        return;
      case 'wrong-hash':
        await this.report(target, 'active', 'f'.repeat(64));
        return;
      case 'fails':
        await this.report(target, 'failed', null);
        return;
      case 'refuses':
      case 'silent':
        return;
    }
  }
}
