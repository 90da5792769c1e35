/** Chunks read lately, the least recently used forgotten first, bounded in bytes. */
export class ChunkCache {
  private readonly chunks = new Map<string, Uint8Array>();
  private bytes = 0;

  constructor(private readonly maxBytes: number) {}

  /** The chunk under `key`, read at most once while it is kept. */
  async get(key: string, read: () => Promise<Uint8Array>): Promise<Uint8Array> {
    const kept = this.chunks.get(key);
    if (kept) {
      this.chunks.delete(key);
      this.chunks.set(key, kept);
      return kept;
    }
    const chunk = await read();
    if (!this.chunks.has(key)) {
      this.chunks.set(key, chunk);
      this.bytes += chunk.byteLength;
    }
    for (const [oldest, { byteLength }] of this.chunks) {
      if (this.bytes <= this.maxBytes) break;
      this.chunks.delete(oldest);
      this.bytes -= byteLength;
    }
    return chunk;
  }
}
