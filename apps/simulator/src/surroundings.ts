import type { UpKind } from '@espalier/protocol';

/** What a device reaches beyond itself; a test gives a clock and a link of its own. */
export interface Surroundings {
  /** A clock that does not go back, milliseconds. */
  now(): number;
  /** Wall time as this device believes it, milliseconds since 1970. */
  wallClock(): number;
  /** Uniform in [0, 1). */
  random(): number;
  /** Calls back later, unless the returned function is called before. */
  after(ms: number, callback: () => void): () => void;
  /** Sends an encoded message; nothing happens without a connection. */
  send(kind: UpKind, payload: Uint8Array): void;
  /** Listens to the broadcast of an artifact, or to none. */
  listenTo(artifactSha256: string | null): void;
}
