import { CONTENT_FILTER, downTopic } from '@espalier/protocol';
import { connectAsync } from 'mqtt';
import type { Broker } from './brokers.js';

/** Listens to what the server publishes, as a second client of the server's own account. */
export class Monitor {
  #lastAt = 0;
  #heard = 0;

  private constructor(private readonly close: () => Promise<void>) {}

  static async start(broker: Broker): Promise<Monitor> {
    const client = await connectAsync(broker.url, broker.monitor);
    const monitor = new Monitor(() => client.endAsync(true));
    client.on('message', () => {
      monitor.#lastAt = Date.now();
      monitor.#heard += 1;
    });
    const target = downTopic('+', 'target');
    const chunk = downTopic('+', 'chunk');
    await client.subscribeAsync({
      [CONTENT_FILTER]: { qos: 0 },
      [target]: { qos: 0 },
      [chunk]: { qos: 0 },
    });
    return monitor;
  }

  /** When a target or chunk came last, milliseconds since 1970. */
  get lastAt(): number {
    return this.#lastAt;
  }

  get heard(): number {
    return this.#heard;
  }

  stop(): Promise<void> {
    return this.close();
  }
}
