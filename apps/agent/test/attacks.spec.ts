/**
 * What an attacker would try who holds the network, the broker or some of the keys, against the built
 * agent (`npm run build`, which `npm test` does first). Each attempt is refused with a code, and the
 * model that ran before runs on.
 */
import { jest } from '@jest/globals';
import { manifestOf, manifestSha256, sha256 } from '@espalier/delivery';
import {
  LIMITS,
  type ChunkFrame,
  type Release,
  type Signed,
  type TargetMessage,
} from '@espalier/protocol';
import { payloadBytes, sign } from '@espalier/trust';
import type { AgentProcess } from './agent-process.js';
import { model, padded, withExternalData } from './models.js';
import { hasMosquitto } from './mosquitto.js';
import { Site } from './site.js';
import type { StubServer } from './stub-server.js';

jest.setTimeout(240_000);

const DEVICE = 'dev-victim';
const next = padded(200_000, 3);
if (!hasMosquitto) process.stderr.write('Mosquitto is not installed: its attacks are skipped.\n');
const brokers = ['our own broker', ...(hasMosquitto ? ['Mosquitto' as const] : [])] as const;

describe.each(brokers)('over %s', (broker) => {
  let site: Site;
  let server: StubServer;
  let agent: AgentProcess;
  let generation = 0;

  beforeAll(async () => {
    site = await Site.open(broker);
    server = site.server;
    agent = await site.started('victim');
    await servesGoodModel();
  });
  afterAll(() => site.close());

  /** A good target is taken and active, which also shows that the agent lives. */
  async function servesGoodModel(): Promise<void> {
    generation += 1;
    await server.target(DEVICE, { model, encoding: 'identity', generation });
    expect(await server.reported(generation, 'active')).toMatchObject({
      loadedSha256: sha256(model),
      failure: null,
    });
  }

  /** Waits until the agent's log, from a place on, names a code. */
  async function logged(code: string, from: number): Promise<void> {
    for (const deadline = Date.now() + 60_000; !agent.log.slice(from).includes(`"${code}"`);) {
      if (Date.now() > deadline) throw new Error(`${code} never came:\n${agent.log.slice(from)}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** What the agent believes and runs, as it is on its disk. */
  function trusted() {
    const { root, generation: highest, epoch, timestampVersion, install, current } = agent.state()!;
    return { root, generation: highest, epoch, timestampVersion, install, current };
  }

  /** An attack with a message that must be as if it had not come. */
  async function isDropped(message: object, code: string): Promise<void> {
    const [before, from] = [trusted(), agent.log.length];
    await server.send(DEVICE, 'target', message);
    await logged(code, from);
    expect(trusted()).toEqual(before);
    expect(server.reports.filter((report) => report.generation > before.generation)).toEqual([]);
  }

  /** An attack with a message that the server did sign: it is refused, and the server is told. */
  async function isRefused(message: TargetMessage, code: string): Promise<void> {
    const state = code.startsWith('TRUST_') || code.startsWith('TARGET_') ? 'refused' : 'failed';
    await server.send(DEVICE, 'target', message);
    expect(await server.reported(generation, state)).toMatchObject({
      failure: { code },
      running: { modelSha256: sha256(model) },
    });
    expect(server.reports.some((r) => r.generation === generation && r.state === 'active')).toBe(
      false,
    );
  }

  const forged = (changes: Partial<Parameters<StubServer['messageFor']>[1]> = {}) => {
    generation += 1;
    return server.messageFor(DEVICE, { model: next, encoding: 'identity', generation, ...changes });
  };
  const releaseIn = (message: TargetMessage): Release =>
    JSON.parse(Buffer.from(payloadBytes(message.release)).toString()) as Release;
  const flipped = (signed: Signed): Signed => {
    const bytes = Buffer.from(signed.payload, 'base64');
    bytes[bytes.length >> 1]! ^= 1;
    return { ...signed, payload: bytes.toString('base64') };
  };

  describe('metadata that was tampered with is as if it had not come', () => {
    afterAll(servesGoodModel);

    it.each(['root', 'timestamp', 'target', 'release'] as const)('a %s', async (role) => {
      const message = forged();
      await isDropped({ ...message, [role]: flipped(message[role]) }, 'TRUST_THRESHOLD');
    });

    it('a manifest with another chunk', async () => {
      const message = forged();
      const chunks = [sha256(Buffer.from('other')), ...message.manifest.chunks.slice(1)];
      await isDropped({ ...message, manifest: { ...message.manifest, chunks } }, 'TARGET_MANIFEST');
    });

    it('a manifest of another artifact, with everything else right', async () => {
      const manifest = manifestOf(Buffer.from('another artifact'));
      await isDropped({ ...forged(), manifest }, 'TARGET_MANIFEST');
    });
  });

  describe('metadata that does not belong together is as if it had not come', () => {
    afterAll(servesGoodModel);

    it('a target for another device', async () => {
      generation += 1;
      const other = server.messageFor('dev-other', { model, encoding: 'identity', generation });
      await isDropped(other, 'TARGET_DEVICE');
    });

    it('a release that was replayed, with the target that named it', async () => {
      const old = forged();
      await servesGoodModel();
      await isDropped(old, 'TRUST_ROLLBACK');
    });

    it('a target of one release with another release', async () => {
      const [one, other] = [forged(), forged()];
      await isDropped({ ...other, release: one.release, manifest: one.manifest }, 'TARGET_RELEASE');
    });

    it('a release that the online key signed, which may not', async () => {
      const message = forged();
      const release = sign('release', releaseIn(message), [server.authority.onlineKey]);
      await isDropped({ ...message, release }, 'TRUST_THRESHOLD');
    });

    it('a target that the release key signed, which may not', async () => {
      const message = forged();
      const target = JSON.parse(Buffer.from(payloadBytes(message.target)).toString()) as object;
      await isDropped(
        { ...message, target: sign('target', target, [server.authority.rootKey]) },
        'TRUST_THRESHOLD',
      );
    });
  });

  describe('metadata that is not current is refused', () => {
    afterAll(servesGoodModel);

    it('an old timestamp, as one that freezes a fleet would send', async () => {
      const old = server.authority.timestamp();
      await servesGoodModel();
      await isRefused({ ...forged(), timestamp: old }, 'TRUST_ROLLBACK');
    });

    it('a timestamp that has expired', async () => {
      const expires = new Date(Date.now() - 1000).toISOString();
      const timestamp = server.authority.timestamp({ expires });
      await isRefused({ ...forged(), timestamp }, 'TRUST_EXPIRED');
    });

    it('a timestamp of a later root than the one beside it', async () => {
      const timestamp = server.authority.timestamp({ rootVersion: 2 });
      await isRefused({ ...forged(), timestamp }, 'TRUST_ROLLBACK');
    });
  });

  describe('names that are paths', () => {
    afterAll(servesGoodModel);

    it.each(['../../etc/cron.d/x', '/etc/passwd', '..', 'a/../../b', 'a\0b'])(
      'go nowhere: %j',
      async (name) => {
        await isDropped(forged({ variantId: name }), 'TRUST_PAYLOAD');
      },
    );

    it('go nowhere as the hash that files are named by', async () => {
      const message = forged();
      const artifact = { ...releaseIn(message).variants[0]!.artifact, sha256: '../../../tmp/x' };
      await isDropped(forged({ changes: { artifact } }), 'TRUST_PAYLOAD');
    });
  });

  describe('messages beyond their bounds', () => {
    afterAll(servesGoodModel);

    it('are dropped when they are too long or nested too deep', async () => {
      const padding = 'x'.repeat(LIMITS.controlMessageBytes - 500);
      await isDropped({ ...forged(), padding }, 'PROTOCOL_TOO_LARGE');
      const deep = JSON.parse(`${'['.repeat(1000)}${']'.repeat(1000)}`) as object;
      await isDropped({ ...forged(), deep }, 'PROTOCOL_TOO_DEEP');
    });
  });

  describe('an artifact', () => {
    afterAll(servesGoodModel);

    const tampered: [string, string, (frame: ChunkFrame) => ChunkFrame][] = [
      [
        'of other bytes',
        'CHUNK_HASH',
        (frame) => ({ ...frame, payload: Buffer.from(frame.payload).reverse() }),
      ],
      [
        'of another length than the manifest says',
        'CHUNK_LENGTH',
        (frame) => ({ ...frame, payload: frame.payload.subarray(1) }),
      ],
      [
        'longer than any may be',
        'PROTOCOL_FRAME',
        (frame) => ({ ...frame, payload: Buffer.alloc(LIMITS.chunkBytes + 1) }),
      ],
      ['in another place', 'CHUNK_INDEX', (frame) => ({ ...frame, index: 9999 })],
      [
        'of another artifact',
        'CHUNK_OTHER_ARTIFACT',
        (frame) => ({ ...frame, artifactSha256: sha256(Buffer.from('other')) }),
      ],
    ];

    it.each(tampered)('with a chunk %s waits for the right one', async (_, code, onTheWay) => {
      const from = agent.log.length;
      let spoilt = 0;
      server.onTheWay = (frame) => ((spoilt += 1) === 1 ? onTheWay(frame) : frame);
      generation += 1;
      await server.target(DEVICE, {
        model: padded(9000, generation),
        encoding: 'identity',
        generation,
      });
      await logged(code, from);
      expect((await server.reported(generation, 'active')).loadedSha256).toBe(
        sha256(padded(9000, generation)),
      );
      server.onTheWay = (frame) => frame;
    });
  });

  describe('a model that was signed and should not have been', () => {
    afterAll(servesGoodModel);

    it('expands a thousandfold, and is not expanded', async () => {
      const bomb = Buffer.alloc(2 ** 25);
      generation += 1;
      await server.target(DEVICE, { model: bomb, generation });
      await isRefused(server.messageFor(DEVICE, { model: bomb, generation }), 'ARTIFACT_TOO_LARGE');
    });

    it('reads another file of the device, and is not opened', async () => {
      for (const location of ['../../../../../../etc/passwd', 'etc/passwd', 'weights.bin']) {
        const outside = withExternalData(location);
        generation += 1;
        const spec = { model: outside, encoding: 'identity' as const, generation };
        await server.target(DEVICE, spec);
        await isRefused(server.messageFor(DEVICE, spec), 'RUN_EXTERNAL_DATA');
      }
    });

    it('has another size than its manifest, and is not taken', async () => {
      const message = forged();
      const manifest = { ...message.manifest, length: message.manifest.length + 1 };
      await isDropped({ ...message, manifest }, 'TARGET_MANIFEST');
      const { artifact } = releaseIn(message).variants[0]!;
      const short = { ...artifact, length: 1, manifestSha256: manifestSha256(message.manifest) };
      await isDropped(forged({ changes: { artifact: short } }), 'TARGET_MANIFEST');
    });
  });
});
