import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './postgres-cluster.js';

const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find(existsSync);

/** Whether Mosquitto is installed. */
export const hasMosquitto = MOSQUITTO !== undefined;

/** Every device reads and writes its own subtree; the server everything. */
const ACCESS = `
user espalier-server
topic readwrite espalier/#
pattern readwrite espalier/v1/devices/%c/#
pattern read espalier/v1/content/#
`;

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
    writeFileSync(join(folder, 'access'), ACCESS, { mode: 0o644 });
    writeFileSync(
      join(folder, 'mosquitto.conf'),
      [
        `listener ${port} 127.0.0.1`,
        'allow_anonymous true',
        `acl_file ${join(folder, 'access')}`,
        'persistence false',
        ...(process.getuid?.() === 0 ? ['user root'] : []),
      ].join('\n'),
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
