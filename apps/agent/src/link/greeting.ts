const FIRST_WAIT_MS = 5000;
const LONGEST_WAIT_MS = 60_000;

/**
 * Says hello on every connection, and again until the server says something: a broker may take the
 * message while no server listens.
 */
export class Greeting {
  #timer: NodeJS.Timeout | undefined;

  /** @param random uniform in [0, 1) */
  constructor(
    private readonly sayHello: () => void,
    private readonly random: () => number,
  ) {}

  start(): void {
    this.#say(FIRST_WAIT_MS);
  }

  /** Says hello in a while, so that the server gives again what could not be taken now. */
  later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#say(FIRST_WAIT_MS), this.#spread(FIRST_WAIT_MS));
  }

  /** The server spoke, or the connection is gone. */
  stop(): void {
    clearTimeout(this.#timer);
  }

  #say(waitMs: number): void {
    clearTimeout(this.#timer);
    this.sayHello();
    const next = (): void => this.#say(Math.min(LONGEST_WAIT_MS, waitMs * 2));
    this.#timer = setTimeout(next, this.#spread(waitMs));
  }

  /** So that devices that met the same outage do not all speak at once. */
  #spread(waitMs: number): number {
    return waitMs * (0.75 + this.random() / 2);
  }
}
