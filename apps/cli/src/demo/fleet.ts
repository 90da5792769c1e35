/** A share of what the trained model would need on a device. */
export interface ShareLimit {
  readonly of: 'latency' | 'storage';
  readonly share: number;
}

/** A device of the demo; each runs as an agent process of its own. */
export interface DemoDevice {
  readonly name: string;
  /** What its limits stand for. */
  readonly role: string;
  readonly limit: ShareLimit | null;
  /** Memory that its agent is given, MiB; undefined: the machine's. */
  readonly memoryMib?: number;
  /** Emulates a processor slower by this factor. */
  readonly slowdown?: number;
}

/** The demo's fleet: the same machine under four sets of limits. */
export const FLEET: readonly DemoDevice[] = [
  { name: 'gateway', role: 'no limit', limit: null },
  {
    name: 'camera',
    role: 'must keep up with frames',
    limit: { of: 'latency', share: 0.7 },
    memoryMib: 768,
  },
  {
    name: 'meter',
    role: 'little storage and memory',
    limit: { of: 'storage', share: 0.5 },
    memoryMib: 512,
  },
  {
    name: 'sensor',
    role: 'slow processor, short deadline',
    limit: { of: 'latency', share: 0.5 },
    slowdown: 4,
  },
];

/** Files that an install takes of a model of this size, at most: as sent, installed, and kept. */
export const STORAGE_COPIES = 3;
