const MOST_LENGTH_BYTES = 4;

/**
 * Watches a stream of MQTT packets and tells when one announces more than a number of bytes, so
 * that the connection is cut before the packet is gathered in memory. It reads the fixed headers
 * alone (MQTT 3.1.1, section 2.2) and skips the rest.
 */
export class PacketGuard {
  #skip = 0;
  #length = 0;
  #weight = 1;
  #lengthBytes = 0;
  #inLength = false;

  constructor(readonly maxPacketBytes: number) {}

  /** Takes the next bytes of the stream; false when a packet in them is too large or malformed. */
  admits(bytes: Uint8Array): boolean {
    let at = 0;
    while (at < bytes.byteLength) {
      if (this.#skip > 0) {
        const step = Math.min(this.#skip, bytes.byteLength - at);
        this.#skip -= step;
        at += step;
      } else if (!this.#inLength) {
        this.#inLength = true;
        this.#length = 0;
        this.#weight = 1;
        this.#lengthBytes = 0;
        at += 1;
      } else {
        const digit = bytes[at] ?? 0;
        this.#length += (digit & 127) * this.#weight;
        this.#weight *= 128;
        this.#lengthBytes += 1;
        at += 1;
        const more = (digit & 128) !== 0;
        if (this.#length > this.maxPacketBytes || (more && this.#lengthBytes === MOST_LENGTH_BYTES))
          return false;
        if (!more) {
          this.#inLength = false;
          this.#skip = this.#length;
        }
      }
    }
    return true;
  }
}
