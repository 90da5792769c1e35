import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './postgres-cluster.js';

const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find(existsSync);

/** Whether Mosquitto is installed. */
export const hasMosquitto = MOSQUITTO !== undefined;

/** The files that a fleet's Mosquitto begins with. */
const GIVEN = new URL('../../../docker/mosquitto/', import.meta.url);
const PLACE = '/mosquitto/config/access';

/** A Mosquitto of a test, on a free port. */
export class MosquittoProcess {
  private constructor(
    private readonly folder: string,
    private readonly process: ChildProcess,
    readonly url: string,
  ) {}

  static async start(): Promise<MosquittoProcess> {
    const folder = mkdtempSync(join(tmpdir(), 'espalier-mosquitto-'));
    const port = await freePort();
    copyFileSync(new URL('access', GIVEN), join(folder, 'access'));
    chmodSync(join(folder, 'access'), 0o644);
    const given = readFileSync(new URL('mosquitto.conf', GIVEN), 'utf8')
      .replace('listener 1883', `listener ${port} 127.0.0.1`)
      .replace(PLACE, join(folder, 'access'));
    writeFileSync(
      join(folder, 'mosquitto.conf'),
      [given, ...(process.getuid?.() === 0 ? ['user root'] : [])].join('\n'),
    );
    const child = spawn(String(MOSQUITTO), ['-c', join(folder, 'mosquitto.conf')], {
      stdio: 'ignore',
    });
    await answers(port);
    return new MosquittoProcess(folder, child, `mqtt://127.0.0.1:${port}`);
  }

  async stop(): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      this.process.kill('SIGTERM');
      await once(this.process, 'exit');
    }
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function answers(port: number): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
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
