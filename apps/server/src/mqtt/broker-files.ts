import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Inject, Injectable, Logger } from '@nestjs/common';
import {
  BROKER_FILES,
  brokerIdentity,
  CertificateAuthority,
  MOSQUITTO_FILES,
  mosquittoAccess,
} from '@espalier/authority';
import { CONFIGURATION, type Configuration } from '../configuration.js';
import { writePrivately } from '../release/key-files.js';

/** A list of void certificates has whole seconds; a later one must be later by them. */
const BETWEEN_LISTS_MS = 1000;

/** A device that was put out, and its certificates that have not ended. */
export interface Revoked {
  readonly deviceId: string;
  readonly serials: readonly string[];
}

/** The files from which a broker knows whom to let in: our own broker's, or Mosquitto's. */
@Injectable()
export class BrokerFiles {
  private readonly logger = new Logger('broker');
  private readonly folder: string;
  private listedAt = 0;

  constructor(
    @Inject(CONFIGURATION) private readonly configuration: Configuration,
    private readonly authority: CertificateAuthority,
  ) {
    this.folder = configuration.mosquittoDir ?? join(configuration.dataDir, 'broker');
    mkdirSync(this.folder, { recursive: true, mode: 0o700 });
  }

  /** Where each file of the server's own broker is. */
  get paths(): Readonly<Record<keyof typeof BROKER_FILES, string>> {
    return {
      ca: join(this.folder, BROKER_FILES.ca),
      certificate: join(this.folder, BROKER_FILES.certificate),
      privateKey: join(this.folder, BROKER_FILES.privateKey),
      revoked: join(this.folder, BROKER_FILES.revoked),
    };
  }

  /** Gives the server's own broker a certificate for the names under which it is reached. */
  async writeIdentity(): Promise<void> {
    const { brokerHost, brokerPublicUrl } = this.configuration;
    const publicHost = brokerPublicUrl === null ? [] : [new URL(brokerPublicUrl).hostname];
    const hosts = new Set(['localhost', '127.0.0.1', hostname(), brokerHost, ...publicHost]);
    const identity = await brokerIdentity(this.authority, [...hosts], Date.now());
    const { ca, certificate, privateKey } = this.paths;
    writePrivately(ca, this.authority.pem);
    writePrivately(privateKey, identity.privateKey);
    writePrivately(certificate, identity.certificate);
  }

  /** Writes who is void, and makes Mosquitto read it; our own broker is told besides. */
  async writeRevoked(revoked: readonly Revoked[]): Promise<void> {
    await wait(Math.max(0, this.listedAt + BETWEEN_LISTS_MS - Date.now()));
    this.listedAt = Date.now();
    const serials = revoked.flatMap((device) => device.serials);
    const list = await this.authority.revocationList(serials, this.listedAt);
    writePrivately(this.paths.revoked, list);
    if (this.configuration.mosquittoDir === null) return;
    const own = join(this.folder, MOSQUITTO_FILES.ownAccess);
    const access = mosquittoAccess(
      revoked.map(({ deviceId }) => deviceId),
      existsSync(own) ? readFileSync(own, 'utf8') : '',
    );
    writePrivately(join(this.folder, MOSQUITTO_FILES.access), access);
    this.signal(join(this.folder, MOSQUITTO_FILES.processId));
  }

  /** Mosquitto reads its lists again at a SIGHUP. */
  private signal(file: string): void {
    try {
      const pid = Number.parseInt(readFileSync(file, 'utf8'), 10);
      // The number may be of a process that is gone, or of another container.
      const name = readFileSync(`/proc/${pid}/comm`, 'utf8').trim();
      if (name !== 'mosquitto') throw new Error(`process ${pid} is ${name}`);
      process.kill(pid, 'SIGHUP');
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      this.logger.warn({
        msg: 'Mosquitto was not told to read its lists again; it does so when it starts',
        code: 'BROKER_NOT_SIGNALLED',
        why,
      });
    }
  }
}
