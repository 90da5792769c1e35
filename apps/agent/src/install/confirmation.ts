/**
 * What the server has named since the connection was made. A target is activated only once it was, so
 * that a device that was away while its rollout was halted never activates what it had received before.
 */
export class Confirmation {
  #generation: number | null = null;
  #wake: (() => void) | null = null;

  /** Whether something waits for the server to name it. */
  get isAwaited(): boolean {
    return this.#wake !== null;
  }

  /** The server has named a generation. */
  named(generation: number): void {
    this.#generation = generation;
  }

  /** The connection is gone. */
  forget(): void {
    this.#generation = null;
  }

  /** Has what waits look again: another target came, or the agent stops. */
  wake(): void {
    this.#wake?.();
  }

  /**
   * Waits until the server has named a generation, or it is not wanted any more.
   * @returns whether it is still wanted
   */
  async of(generation: number, isWanted: () => boolean): Promise<boolean> {
    while (isWanted() && this.#generation !== generation) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    this.#wake = null;
    return isWanted();
  }
}
