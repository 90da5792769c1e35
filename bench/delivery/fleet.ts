import { fileURLToPath } from 'node:url';
import { Child, jsonOf, until } from './child.js';
import type { Server } from './server.js';

const MAIN = fileURLToPath(new URL('../../apps/simulator/dist/main.js', import.meta.url));

/** Tells the fleets of this run from those of earlier ones on the same data. */
const RUN = Date.now().toString(36);

/** What a simulated device says as it settles a target. */
export interface Settled {
  readonly deviceId: string;
  readonly fault: string | null;
  readonly state: string;
  readonly seconds: number;
  readonly againBytes: number;
}

/** A simulator in a process of its own, its devices ready for a plan. */
export class Fleet {
  readonly settled: Settled[] = [];
  readonly #child: Child;
  #connected = 0;
  /** How many devices were connected, whenever that changed, with the time in milliseconds. */
  readonly connections: { readonly at: number; readonly devices: number }[] = [];

  private constructor(
    readonly label: string,
    readonly devices: number,
    server: Server,
    args: readonly string[],
  ) {
    const options = ['--server', server.url, '--devices', String(devices), '--name', label];
    this.#child = new Child(
      process.execPath,
      [MAIN, ...options, '--label', `fleet=${label}`, ...args],
      { ESPALIER_TOKEN: server.token },
      (line) => this.#read(line),
    );
  }

  /** Starts devices and waits until the server has the profile of each. */
  static async start(
    server: Server,
    name: string,
    devices: number,
    args: readonly string[] = [],
  ): Promise<Fleet> {
    const fleet = new Fleet(`${name}-${RUN}`, devices, server, args);
    await until(() => fleet.#connected === devices, `${devices} devices`, 240).catch(
      (cause: unknown) => {
        throw new Error(fleet.#child.log, { cause });
      },
    );
    await until(
      async () => (await count(server, `fleet=${fleet.label}`)) === devices,
      'the profiles',
      120,
    );
    return fleet;
  }

  get connected(): number {
    return this.#connected;
  }

  stop(): Promise<void> {
    return this.#child.end();
  }

  #read(line: string): void {
    const said = jsonOf(line);
    if (said?.['event'] === 'connected') {
      this.#connected = Number(said['devices']);
      this.connections.push({ at: performance.now(), devices: this.#connected });
    }
    if (said?.['event'] === 'settled') this.settled.push(said as unknown as Settled);
  }
}

/** How many of the selected devices have sent their profile. */
async function count(server: Server, selector: string): Promise<number> {
  let ready = 0;
  for (let cursor = ''; ;) {
    const query = new URLSearchParams({ selector, state: 'ready', limit: '200' });
    if (cursor !== '') query.set('cursor', cursor);
    const page = await server.call<{ devices: object[]; next: string | null }>(
      'GET',
      `/api/v1/devices?${query.toString()}`,
    );
    ready += page.devices.length;
    if (page.next === null) return ready;
    cursor = page.next;
  }
}
