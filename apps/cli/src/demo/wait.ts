import { setTimeout } from 'node:timers/promises';
import { CliError } from '../errors.js';

const POLL_MS = 250;

/**
 * Asks again and again until there is an answer.
 * @param what is waited for, as a message names it
 * @throws CliError CLI_DEMO after `seconds`; whatever the signal was aborted with
 */
export async function until<T>(
  what: string,
  seconds: number,
  signal: AbortSignal,
  ask: () => Promise<T | null>,
): Promise<T> {
  const deadline = performance.now() + seconds * 1000;
  for (;;) {
    signal.throwIfAborted();
    const answer = await ask();
    if (answer !== null) return answer;
    if (performance.now() > deadline) {
      throw new CliError('CLI_DEMO', `${what}: not within ${seconds} seconds.`);
    }
    await setTimeout(POLL_MS);
  }
}
