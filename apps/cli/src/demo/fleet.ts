/** A share of what the trained model would take on a device. */
export interface ShareLimit {
  readonly of: 'latency' | 'ram' | 'storage';
  readonly share: number;
}

/** A device of the demo; each runs as an agent process of its own. */
export interface DemoDevice {
  readonly name: string;
  /** What its limits stand for. */
  readonly role: string;
  /** The limit to begin with. That of storage is the agent's own; the others are budgets. */
  readonly limit: ShareLimit | null;
  /** Memory that its agent is given, MiB; undefined: the machine's. */
  readonly memoryMib?: number;
  /** Emulates a processor slower by this factor. */
  readonly slowdown?: number;
}

/** The demo's fleet: the same machine under four sets of limits. */
export const FLEET: readonly DemoDevice[] = [
  { name: 'gateway', role: 'no limit of its own', limit: null },
  {
    name: 'camera',
    role: 'slow processor, a deadline to keep',
    limit: { of: 'latency', share: 0.85 },
    slowdown: 4,
  },
  { name: 'meter', role: 'little storage', limit: { of: 'storage', share: 0.17 } },
  { name: 'sensor', role: 'little memory', limit: { of: 'ram', share: 0.5 }, memoryMib: 512 },
];

/** Files that an install takes of a model of this size, at most: as sent, installed, and kept. */
export const STORAGE_COPIES = 3;
