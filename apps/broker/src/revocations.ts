const MOST_DEVICES = 100_000;

/** The credentials that are void although they have not expired. */
export class Revocations {
  readonly #issuedBefore = new Map<string, number>();

  /** Voids a device's credentials issued before an instant; false when there is no room left. */
  add(revocation: { readonly deviceId: string; readonly issuedBeforeMs: number }): boolean {
    const known = this.#issuedBefore.get(revocation.deviceId);
    if (known === undefined && this.#issuedBefore.size >= MOST_DEVICES) return false;
    this.#issuedBefore.set(revocation.deviceId, Math.max(known ?? 0, revocation.issuedBeforeMs));
    return true;
  }

  /** Whether a credential is void. */
  covers(credential: { readonly deviceId: string; readonly issuedAtMs: number }): boolean {
    return credential.issuedAtMs < (this.#issuedBefore.get(credential.deviceId) ?? 0);
  }
}
