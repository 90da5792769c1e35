import type { InstallState, Root, Variant } from '@espalier/protocol';
import type { StoredDownload } from './download.js';

/** What runs, or did before. */
export interface Held {
  readonly releaseId: string;
  readonly variantId: string;
  readonly modelSha256: string;
}

/** The one target that a device works on, or has settled. */
export interface Install {
  readonly generation: number;
  readonly releaseId: string;
  readonly variant: Variant;
  readonly state: InstallState;
  readonly failure: { readonly code: string; readonly message: string } | null;
  readonly download: StoredDownload;
}

/** What a device keeps over a restart; a plain value, as on the disk of a real one. */
export interface Memory {
  readonly root: Root;
  readonly generation: number;
  readonly epoch: number;
  readonly timestampVersion: number;
  readonly latestTimeMs: number;
  readonly current: Held | null;
  readonly previous: Held | null;
  readonly install: Install | null;
}

/** The memory of a device that was just enrolled. */
export const emptyMemory = (root: Root): Memory => ({
  root,
  generation: 0,
  epoch: 0,
  timestampVersion: 0,
  latestTimeMs: 0,
  current: null,
  previous: null,
  install: null,
});
