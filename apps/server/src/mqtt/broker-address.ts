/** Where the broker is: known once the server's own has said its port. */
export class BrokerAddress {
  private address: { server: string; devices: string } | null = null;

  /** @param publicUrl what devices are told instead; null: the same address */
  set(url: string, publicUrl: string | null): void {
    this.address = { server: url, devices: publicUrl ?? url };
  }

  /** Address that the server itself connects to. */
  forServer(): string {
    return this.known().server;
  }

  /** Address that devices are told at enrolment. */
  forDevices(): string {
    return this.known().devices;
  }

  private known(): { server: string; devices: string } {
    if (!this.address) throw new Error('The broker is asked for before it was started.');
    return this.address;
  }
}
