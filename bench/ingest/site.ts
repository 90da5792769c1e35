import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decodeSketch, encodeSketch, WindowSketch } from '@espalier/evidence';
import { generateKeyPair, publicKeyBase64 } from '@espalier/trust';
import Sqlite from 'better-sqlite3';
import { startBroker, type Broker } from '../delivery/brokers.js';
import { Child, jsonOf, until } from '../delivery/child.js';
import { Server } from '../delivery/server.js';
import { deviceIdOf, sequenceOf, sketches, variantIds } from './reports.js';

const LOAD = fileURLToPath(new URL('./load.ts', import.meta.url));
const REGISTER = new URL('../register.mjs', import.meta.url).href;
const SITES = 20;

/** What a load generator said when it ended. */
export interface LoadEnd {
  readonly sent: number;
  readonly acknowledged: number;
  readonly again: number;
  /** Acknowledged in a second, while it sent. */
  readonly sustained: number;
  readonly latencyMs: { readonly p50: number; readonly p95: number; readonly max: number };
}

/** Broker, server and load, each a process of its own, on one folder. */
export class Site {
  readonly server: Server;
  readonly #dataDir: string;
  readonly #databasePath: string;
  #broker: Broker | null = null;

  constructor(
    private readonly folder: string,
    private readonly devices: number,
  ) {
    this.#dataDir = join(folder, 'server');
    mkdirSync(this.#dataDir, { recursive: true });
    this.server = new Server(this.#dataDir);
    this.#databasePath = join(this.#dataDir, 'espalier.db');
  }

  /** Makes the database with its devices in it, and starts broker and server. */
  async start(): Promise<void> {
    await this.server.start({ BROKER_PORT: '0', LOG_LEVEL: 'warn' });
    await this.server.stop();
    this.#register();
    await this.startBroker();
    await this.startServer();
  }

  private async startBroker(): Promise<void> {
    const port = this.#broker ? Number(new URL(this.#broker.url).port) : undefined;
    this.#broker = await startBroker('espalier', this.folder, this.#dataDir, port);
  }

  private async startServer(): Promise<void> {
    await this.server.start({ ...this.#running.environment, LOG_LEVEL: 'warn' });
  }

  /** Ends broker or server with SIGKILL, and starts it again. */
  async strike(which: 'broker' | 'server'): Promise<void> {
    if (which === 'server') {
      await this.server.kill();
      await this.startServer();
      return;
    }
    await this.#running.kill();
    await this.startBroker();
  }

  async load(rate: number, connections: number): Promise<Load> {
    const { url } = this.#running;
    const names = Array.from({ length: connections }, (_, at) => `espalier.load${lettersOf(at)}`);
    const identities = await Promise.all(names.map((name) => this.#running.identity(name)));
    const file = join(this.folder, 'identities.json');
    writeFileSync(file, JSON.stringify(identities), { mode: 0o600 });
    const devices = String(this.devices);
    return new Load(
      { url, identities: file, devices, rate: String(rate) },
      join(this.folder, 'acknowledged'),
    );
  }

  /** What became of messages that were acknowledged; to be asked when the server is stopped. */
  audit(acknowledged: readonly number[]): {
    lost: number;
    twice: number;
    stored: number;
    watched: number;
  } {
    const database = new Sqlite(this.#databasePath, { readonly: true });
    try {
      const ids = database.prepare('SELECT "messageId" FROM "Inbox"').pluck().all() as string[];
      const taken = new Set(ids.map(sequenceOf));
      const { windows, different } = database
        .prepare(
          `SELECT COUNT(*) AS windows, COUNT(DISTINCT "deviceId" || "body") AS different
           FROM "TelemetryWindow"`,
        )
        .get() as { windows: number; different: number };
      return {
        lost:
          acknowledged.filter((sequence) => !taken.has(sequence)).length +
          Math.max(0, taken.size - windows),
        twice: windows - different,
        stored: windows,
        watched: database.prepare('SELECT COUNT(*) FROM "DriftStream"').pluck().get() as number,
      };
    } finally {
      database.close();
    }
  }

  async stop(): Promise<void> {
    await this.server.stop();
    await this.#broker?.stop();
  }

  get #running(): Broker {
    if (!this.#broker) throw new Error('The broker has not been started.');
    return this.#broker;
  }

  /** Puts the devices into the database, as enrolment would, and what their variants are held against. */
  #register(): void {
    const database = new Sqlite(this.#databasePath);
    const insert = database.prepare(
      `INSERT INTO "Device" ("id", "name", "labels", "publicKey", "state", "budget", "createdAt")
       VALUES (?, ?, ?, ?, 'ready', '{}', ?)`,
    );
    const key = publicKeyBase64(generateKeyPair());
    const createdAt = new Date().toISOString().replace('Z', '+00:00');
    const reference = new WindowSketch();
    for (const sketch of sketches) reference.merge(decodeSketch(sketch));
    const report = {
      reference: {
        ...{ source: 'evaluation', samples: reference.brightness.total, accuracy: 0.9 },
        ...{ sketch: encodeSketch(reference), confidenceThreshold: 3 },
      },
    };
    database.transaction(() => {
      database
        .prepare(
          `INSERT INTO "Model" ("id", "name", "sha256", "bytes", "calibrationSha256", "inspection", "createdAt")
           VALUES ('bench', 'bench', 'a', 1, 'a', '{}', ?)`,
        )
        .run(createdAt);
      for (const variantId of variantIds) {
        database
          .prepare(
            `INSERT INTO "Candidate" ("id", "modelId", "jobId", "report", "costs", "modelSha256", "modelBytes",
             "artifactSha256", "artifactBytes", "encoding", "createdAt")
             VALUES (?, 'bench', 'bench', ?, '{}', ?, 1, 'a', 1, 'identity', ?)`,
          )
          .run(variantId, JSON.stringify(report), variantId, createdAt);
      }
      for (let device = 0; device < this.devices; device += 1) {
        const id = deviceIdOf(device);
        insert.run(id, id, JSON.stringify({ site: `s${device % SITES}` }), key, createdAt);
      }
    })();
    database.close();
  }
}

/** A number in letters, of which names with the server's rights are made. */
const lettersOf = (at: number): string =>
  [...String(at)].map((digit) => 'abcdefghij'.charAt(Number(digit))).join('');

/** The load generator. */
export class Load {
  readonly #child: Child;
  #ready = false;
  #end: LoadEnd | null = null;

  constructor(
    options: Readonly<Record<string, string>>,
    private readonly acknowledgedPath: string,
  ) {
    const args = Object.entries({ ...options, acknowledged: acknowledgedPath });
    this.#child = new Child(
      process.execPath,
      [
        ...['--no-warnings', '--conditions=espalier-source', '--import', REGISTER, LOAD],
        ...args.flatMap(([name, value]) => [`--${name}`, value]),
      ],
      {},
      (line) => {
        const said = jsonOf(line);
        if (said?.['event'] === 'ready') this.#ready = true;
        if (said?.['event'] === 'done') this.#end = said as unknown as LoadEnd;
      },
    );
  }

  /** Resolves once it sends. */
  async sending(): Promise<void> {
    await until(() => this.#ready, `the load: ${this.#child.log}`, 60);
  }

  /** Lets it send nothing new, and waits at most so long until all is acknowledged. */
  async end(seconds: number): Promise<{ end: LoadEnd; acknowledged: number[] }> {
    this.#child.signal('SIGUSR2');
    await until(() => this.#end !== null, 'the acknowledgements', seconds).catch(() =>
      this.#child.end(),
    );
    await this.#child.ended();
    if (!this.#end) throw new Error(this.#child.log);
    const text = readFileSync(this.acknowledgedPath, 'utf8');
    return { end: this.#end, acknowledged: text === '' ? [] : text.split('\n').map(Number) };
  }

  async stop(): Promise<void> {
    await this.#child.end();
  }
}
