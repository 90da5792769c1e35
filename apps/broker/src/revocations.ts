const MOST_DEVICES = 100_000;

/** The devices whose certificates are void although they have not ended. */
export class Revocations {
  readonly #devices = new Set<string>();

  /** Voids a device's certificates; false when there is no room left. */
  add(deviceId: string): boolean {
    if (this.#devices.size >= MOST_DEVICES && !this.#devices.has(deviceId)) return false;
    this.#devices.add(deviceId);
    return true;
  }

  has(deviceId: string): boolean {
    return this.#devices.has(deviceId);
  }
}
