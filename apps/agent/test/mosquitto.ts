/** Mosquitto for a stub server, on the configuration that is made for a real one. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import {
  BROKER_FILES,
  MOSQUITTO_FILES,
  mosquittoAccess,
  mosquittoConfiguration,
  type CertificateAuthority,
} from '@espalier/authority';

const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto'].find(existsSync);

/** Whether Mosquitto is installed. */
export const hasMosquitto = MOSQUITTO !== undefined;

/**
 * Starts it in a folder that holds the broker's certificate.
 * @param port 0: any that is free
 */
export async function startMosquitto(
  folder: string,
  authority: CertificateAuthority,
  port: number,
): Promise<{ process: ChildProcess; port: number }> {
  const own = port === 0 ? await freePort() : port;
  const settings = { folder, port: own, address: '127.0.0.1', user: userInfo().username };
  const configuration = join(folder, MOSQUITTO_FILES.configuration);
  writeFileSync(configuration, mosquittoConfiguration(settings));
  writeFileSync(join(folder, MOSQUITTO_FILES.access), mosquittoAccess([]));
  writeFileSync(join(folder, BROKER_FILES.revoked), await authority.revocationList([], Date.now()));
  const process = spawn(String(MOSQUITTO), ['-c', configuration], { stdio: 'ignore' });
  await answers(own);
  return { process, port: own };
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

async function answers(port: number): Promise<void> {
  for (const deadline = Date.now() + 60_000; Date.now() < deadline;) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('error', () => resolve(false));
    });
    socket.destroy();
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error('Mosquitto does not listen.');
}
