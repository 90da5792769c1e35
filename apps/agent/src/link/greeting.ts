const FIRST_WAIT_MS = 5000;
const LONGEST_WAIT_MS = 60_000;

/** Hellos of a connection of which an answer may still be under way. */
const REMEMBERED = 8;

/**
 * Says hello on every connection, and again until the server has acknowledged one: a broker may take
 * the message while no server listens, and what the server says of other messages is no answer to it.
 */
export class Greeting {
  #timer: NodeJS.Timeout | undefined;
  #said: string[] = [];

  /** @param sayHello returns the message's id @param random uniform in [0, 1) */
  constructor(
    private readonly sayHello: () => string,
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

  /** The server has acknowledged a message. */
  acknowledged(id: string): void {
    if (this.#said.includes(id)) this.stop();
  }

  /** The connection is gone. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#said = [];
  }

  #say(waitMs: number): void {
    clearTimeout(this.#timer);
    this.#said = [...this.#said, this.sayHello()].slice(-REMEMBERED);
    const next = (): void => this.#say(Math.min(LONGEST_WAIT_MS, waitMs * 2));
    this.#timer = setTimeout(next, this.#spread(waitMs));
  }

  /** So that devices that met the same outage do not all speak at once. */
  #spread(waitMs: number): number {
    return waitMs * (0.75 + this.random() / 2);
  }
}
