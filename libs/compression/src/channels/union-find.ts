/** Disjoint sets of channel ids, with path halving; a set may carry the reason it must stay whole. */
export class UnionFind {
  private readonly parent: number[] = [];
  private readonly reasons = new Map<number, string>();

  /** Number of ids handed out. */
  get size(): number {
    return this.parent.length;
  }

  /** A new set of one. */
  create(): number {
    this.parent.push(this.parent.length);
    return this.parent.length - 1;
  }

  /** The id that stands for the set of `id`: the oldest member, so that order stays stable. */
  find(id: number): number {
    let at = id;
    for (;;) {
      const up = this.parent[at] ?? at;
      if (up === at) return at;
      const grand = this.parent[up] ?? up;
      this.parent[at] = grand;
      at = grand;
    }
  }

  /** Joins two sets; a lock on either holds for both. */
  union(a: number, b: number): void {
    const ra = this.find(a);
    const rb = this.find(b);
    if (ra === rb) return;
    const [old, young] = ra < rb ? [ra, rb] : [rb, ra];
    this.parent[young] = old;
    const reason = this.reasons.get(old) ?? this.reasons.get(young);
    if (reason !== undefined) this.reasons.set(old, reason);
  }

  /** Marks the set of `id` as not to be cut; the first reason stays. */
  lock(id: number, reason: string): void {
    const root = this.find(id);
    if (!this.reasons.has(root)) this.reasons.set(root, reason);
  }

  /** Why the set of `id` must stay whole, if it must. */
  lockReason(id: number): string | undefined {
    return this.reasons.get(this.find(id));
  }
}
