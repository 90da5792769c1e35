/** Signs what a server and an offline release key sign, for one device. */
import { manifestOf, manifestSha256 } from '@espalier/delivery';
import type { Root, TargetMessage } from '@espalier/protocol';
import { generateKeyPair, publicKeyBase64, sign } from '@espalier/trust';

const FAR = '2100-01-01T00:00:00.000Z';

export class Authority {
  readonly rootKey = generateKeyPair();
  readonly onlineKey = generateKeyPair();
  readonly root = this.#root();
  readonly signedRoot = sign('root', this.root, [this.rootKey]);
  #version = 0;

  /** A target whose model is its artifact. */
  target(
    deviceId: string,
    generation: number,
    artifact: Uint8Array,
    { chunkBytes, at, expires = FAR }: { chunkBytes: number; at: number; expires?: string },
  ): TargetMessage {
    const manifest = manifestOf(artifact, chunkBytes);
    const issued = new Date(at).toISOString();
    const model = { sha256: manifest.sha256, length: artifact.byteLength };
    const variant = {
      id: `v${generation}`,
      artifact: { ...model, encoding: 'identity', manifestSha256: manifestSha256(manifest) },
      model,
      peakRamBytes: 1000,
      precision: 'fp32',
      session: { threads: 1, optimization: 'all' },
      card: null,
    };
    const names = { releaseId: `r${generation}`, variantId: variant.id, modelSha256: model.sha256 };
    const target = { type: 'target', deviceId, generation, epoch: 1, rolloutId: null, ...names };
    const release = { type: 'release', id: names.releaseId, model: 'm', version: generation };
    const timestamp = { type: 'timestamp', version: ++this.#version, rootVersion: 1 };
    const until = { issued, expires: FAR };
    return {
      root: this.signedRoot,
      timestamp: sign('timestamp', { ...timestamp, ...until }, [this.onlineKey]),
      target: sign('target', { ...target, issued, expires }, [this.onlineKey]),
      release: sign('release', { ...release, ...until, variants: [variant] }, [this.rootKey]),
      manifest,
    };
  }

  #root(): Root {
    const role = (keyId: string) => ({ keyids: [keyId], threshold: 1 });
    return {
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
  }
}
