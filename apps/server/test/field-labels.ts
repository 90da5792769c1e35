import { seededRandom } from '@espalier/dataset';
import { freePort } from './postgres-cluster.js';

const EVERY_MS = 100;
const LABELS = 40;
const RIGHT = 0.9;

/**
 * Plays the application beside an agent: learns the true labels of what the model said, and feeds
 * them back. With a model that `flipped` names, a tenth of the labels more is flipped.
 */
export class FieldLabels {
  private readonly random;
  private timer: NodeJS.Timeout | null = null;

  private constructor(
    readonly port: number,
    seed: number,
    private readonly running: () => string | null,
    private readonly flipped: () => string | null,
  ) {
    this.random = seededRandom(seed);
  }

  static async on(
    seed: number,
    running: () => string | null,
    flipped: () => string | null,
  ): Promise<FieldLabels> {
    return new FieldLabels(await freePort(), seed, running, flipped);
  }

  start(): void {
    this.timer = setInterval(() => void this.feed(), EVERY_MS);
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer);
  }

  private async feed(): Promise<void> {
    const modelSha256 = this.running();
    if (modelSha256 === null) return;
    const rate = RIGHT - (modelSha256 === this.flipped() ? 0.1 : 0);
    const correct = Array.from({ length: LABELS }).filter(() => this.random.next() < rate).length;
    // An agent that has just gone over to another model refuses the labels of the one before.
    await fetch(`http://127.0.0.1:${this.port}/v1/feedback`, {
      method: 'POST',
      body: JSON.stringify({ modelSha256, labelled: LABELS, correct }),
    }).catch(() => undefined);
  }
}
