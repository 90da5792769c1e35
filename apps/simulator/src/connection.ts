import { DeviceLink, type LinkListener, type LinkLog, type Login } from '@espalier/link';
import { fullJitter, type UpKind } from '@espalier/protocol';

const KEEPALIVE_S = 30;
/** How long a slow device takes to read a chunk. */
const SLOW_READ_MS = 200;
/** A thousand devices would fill a log with what is ordinary. */
const SILENT: LinkLog = { info: () => undefined, warn: () => undefined };

/** How fast a device reads its socket. */
export type Reading = 'fast' | 'slow' | 'not';

/** One simulated device's link: read at its own pace, and cut where that is its fault. */
export class Connection {
  readonly #link: DeviceLink;
  #awayMs: number | null = null;
  reading: Reading = 'fast';

  constructor(deviceId: string, login: Login, listener: LinkListener) {
    this.#link = new DeviceLink(
      {
        deviceId,
        login: () => login,
        keepaliveS: KEEPALIVE_S,
        waitMs: (attempt) => this.#wait(attempt),
        taking: (topic, done) => this.#read(topic, done),
      },
      listener,
      SILENT,
    );
  }

  get ready(): boolean {
    return this.#link.ready;
  }

  start(): void {
    this.#link.start();
  }

  send(kind: UpKind, payload: Uint8Array): void {
    this.#link.sendEncoded(kind, payload);
  }

  listenTo(artifactSha256: string | null): void {
    this.#link.listenToContent(artifactSha256);
  }

  /** Loses the connection, and does not come back for a while. */
  cut(awayMs: number): void {
    this.#awayMs = awayMs;
    this.#link.breakOff();
  }

  async stop(): Promise<void> {
    await this.#link.stop(true);
  }

  #wait(attempt: number): number {
    const wait = this.#awayMs ?? fullJitter(attempt, Math.random());
    this.#awayMs = null;
    return wait;
  }

  #read(topic: string, done: () => void): void {
    if (this.reading === 'fast' || topic.endsWith('/target')) done();
    else if (this.reading === 'slow') setTimeout(done, SLOW_READ_MS);
  }
}
