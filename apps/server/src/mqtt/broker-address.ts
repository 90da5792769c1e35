/** Where the broker is, known once the server's own has said its port, and whom it is known by. */
export class BrokerAddress {
  private known: { url: string; publicUrl: string | null; authorities: string } | null = null;

  /**
   * @param publicUrl what devices are told instead; null: the same address
   * @param authorities PEM certificates that the broker's own must come from
   */
  set(url: string, publicUrl: string | null, authorities: string): void {
    this.known = { url, publicUrl, authorities };
  }

  /** Address that the server itself connects to. */
  forServer(): string {
    return this.get().url;
  }

  /** Address that devices are told at enrolment. */
  forDevices(): string {
    const { url, publicUrl } = this.get();
    return publicUrl ?? url;
  }

  get authorities(): string {
    return this.get().authorities;
  }

  private get(): NonNullable<typeof this.known> {
    if (!this.known) throw new Error('The broker is asked for before it was started.');
    return this.known;
  }
}
