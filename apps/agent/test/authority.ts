/** Signs what a server and an offline release key sign. */
import { manifestOf, manifestSha256, sha256 } from '@espalier/delivery';
import type {
  Encoding,
  Release,
  Root,
  Signed,
  TargetMessage,
  Timestamp,
  Variant,
} from '@espalier/protocol';
import { generateKeyPair, publicKeyBase64, sign } from '@espalier/trust';

export const FAR = '2100-01-01T00:00:00.000Z';
const card = {
  task: 'classification',
  input: { name: 'image', layout: 'NCHW', scale: 1 / 255, mean: [0.286], std: [0.353] },
};

/** What a target is made of. */
export interface TargetSpec {
  model: Uint8Array;
  generation: number;
  encoding?: Encoding;
  variantId?: string;
  epoch?: number;
  expires?: string;
  changes?: Partial<Variant>;
}

export class Authority {
  readonly rootKey = generateKeyPair();
  readonly onlineKey = generateKeyPair();
  #timestampVersion = 0;

  /** A target message; `artifact` is what its manifest is of. */
  message(deviceId: string, spec: TargetSpec, artifact: Uint8Array): TargetMessage {
    const manifest = manifestOf(artifact);
    const variant: Variant = {
      id: spec.variantId ?? `v${spec.generation}`,
      artifact: {
        sha256: manifest.sha256,
        length: artifact.byteLength,
        encoding: spec.encoding ?? 'brotli',
        manifestSha256: manifestSha256(manifest),
      },
      model: { sha256: sha256(spec.model), length: spec.model.byteLength },
      peakRamBytes: 1_000_000,
      precision: 'fp32',
      session: { threads: 1, optimization: 'all' },
      card,
      ...spec.changes,
    };
    const release: Release = {
      type: 'release',
      id: `r${spec.generation}`,
      model: 'fashion',
      version: spec.generation,
      issued: new Date().toISOString(),
      expires: FAR,
      variants: [variant],
    };
    const target = {
      type: 'target',
      deviceId,
      generation: spec.generation,
      epoch: spec.epoch ?? 1,
      rolloutId: null,
      releaseId: release.id,
      variantId: variant.id,
      modelSha256: variant.model.sha256,
      issued: new Date().toISOString(),
      expires: spec.expires ?? FAR,
    };
    return {
      root: this.root(),
      timestamp: this.timestamp(),
      target: sign('target', target, [this.onlineKey]),
      release: sign('release', release, [this.rootKey]),
      manifest,
    };
  }

  root(): Signed {
    const role = (keyId: string) => ({ keyids: [keyId], threshold: 1 });
    const root: Root = {
      type: 'root',
      version: 1,
      expires: FAR,
      keys: Object.fromEntries(
        [this.rootKey, this.onlineKey].map((key) => [
          key.keyId,
          { scheme: 'ed25519' as const, public: publicKeyBase64(key) },
        ]),
      ),
      roles: {
        root: role(this.rootKey.keyId),
        release: role(this.rootKey.keyId),
        target: role(this.onlineKey.keyId),
        timestamp: role(this.onlineKey.keyId),
      },
    };
    return sign('root', root, [this.rootKey]);
  }

  timestamp(changes: Partial<Timestamp> = {}): Signed {
    const timestamp = {
      type: 'timestamp',
      version: ++this.#timestampVersion,
      issued: new Date().toISOString(),
      expires: FAR,
      rootVersion: 1,
      ...changes,
    };
    return sign('timestamp', timestamp, [this.onlineKey]);
  }
}
