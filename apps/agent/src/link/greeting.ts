const FIRST_WAIT_MS = 5000;
const LONGEST_WAIT_MS = 60_000;

/**
 * Says hello on every connection, and again until the server says something: a broker may take the
 * message while no server listens.
 */
export class Greeting {
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly sayHello: () => void) {}

  start(): void {
    this.#say(FIRST_WAIT_MS);
  }

  /** The server spoke, or the connection is gone. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #say(waitMs: number): void {
    clearTimeout(this.#timer);
    this.sayHello();
    this.#timer = setTimeout(() => this.#say(Math.min(LONGEST_WAIT_MS, waitMs * 2)), waitMs);
  }
}
