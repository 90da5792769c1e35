import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { AUTHORITY_FILES, CertificateAuthority, clientIdentity } from '@espalier/authority';
import type { IClientOptions } from 'mqtt';
import { freePort } from './postgres-cluster.js';

const CLI = fileURLToPath(new URL('../../cli/dist/main.js', import.meta.url));
const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find(existsSync);
const OBSERVER = 'espalier.observer';

/** Whether Mosquitto is installed. */
export const hasMosquitto = MOSQUITTO !== undefined;

/**
 * A Mosquitto of a test, on a free port, with the configuration that the command line makes. The
 * server is started first, with {@link environment}, since it makes the authority.
 */
export class MosquittoProcess {
  private child: ChildProcess | null = null;
  private dataDir = '';

  private constructor(
    private readonly folder: string,
    private readonly port: number,
  ) {}

  static async reserve(): Promise<MosquittoProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'espalier-mosquitto-'));
    writeFileSync(join(folder, 'access.local'), `user ${OBSERVER}\ntopic readwrite espalier/#\n`);
    return new MosquittoProcess(folder, await freePort());
  }

  get url(): string {
    return `mqtts://127.0.0.1:${this.port}`;
  }

  /** What the server is told. */
  get environment(): Record<string, string> {
    return { BROKER_URL: this.url, MOSQUITTO_DIR: this.folder };
  }

  /** @param dataDir the server's, which has its authority by now */
  async start(dataDir: string): Promise<void> {
    this.dataDir = dataDir;
    const where = ['--host', '127.0.0.1', '--address', '127.0.0.1', '--port', String(this.port)];
    await promisify(execFile)(process.execPath, [
      ...[CLI, 'broker', 'mosquitto-config', '--out', this.folder, '--data-dir', dataDir],
      ...where,
    ]);
    const configuration = join(this.folder, 'mosquitto.conf');
    this.child = spawn(String(MOSQUITTO), ['-c', configuration], { stdio: 'ignore' });
    await answers(this.port);
  }

  /** How somebody who hears and says everything joins. */
  observer(): Promise<IClientOptions> {
    return this.login(OBSERVER);
  }

  /** A certificate of the server's authority for a name. */
  async login(commonName: string): Promise<IClientOptions> {
    const keys = join(this.dataDir, 'keys');
    const authority = await CertificateAuthority.open({
      certificate: readFileSync(join(keys, AUTHORITY_FILES.certificate), 'utf8'),
      privateKey: readFileSync(join(keys, AUTHORITY_FILES.privateKey), 'utf8'),
    });
    const { certificate, privateKey } = await clientIdentity(authority, commonName, Date.now());
    return { ca: authority.pem, cert: certificate, key: privateKey, clientId: commonName };
  }

  async stop(): Promise<void> {
    const { child } = this;
    if (child && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      await once(child, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function answers(port: number): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt += 1) {
    const socket = connect(port, '127.0.0.1');
    const open = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('Mosquitto does not listen.');
}
