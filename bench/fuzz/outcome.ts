import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** What became of the inputs of one target. */
export const outcomeSchema = z.strictObject({
  target: z.string(),
  seed: z.number(),
  inputs: z.number(),
  /** Inputs that were still sound, or that the protocol has ignored. */
  accepted: z.number(),
  /** Refused inputs by the code of the refusal. */
  refused: z.record(z.string(), z.number()),
  /** Anything else: an error without a code, a crash, no answer. */
  failures: z.array(z.string()),
  peakRssMiB: z.number(),
  boundMiB: z.number(),
  /** Whether a sound message was served afterwards. */
  servedAfter: z.boolean(),
});
export type Outcome = z.infer<typeof outcomeSchema>;

/** How many inputs, from which seed, and whom to tell how it goes. */
export interface FuzzRun {
  readonly count: number;
  readonly seed: number;
  note(line: string): void;
}

const MOST_FAILURES = 20;

/** Counts outcomes. */
export class Tally {
  accepted = 0;
  readonly refused: Record<string, number> = {};
  readonly failures: string[] = [];

  refuse(code: string): void {
    this.refused[code] = (this.refused[code] ?? 0) + 1;
  }

  fail(what: string): void {
    if (this.failures.length < MOST_FAILURES) this.failures.push(what.slice(0, 500));
  }

  get refusals(): number {
    return Object.values(this.refused).reduce((sum, count) => sum + count, 0);
  }
}

/** Largest resident set that a process has had so far, MiB; 0 when it is gone. */
export function peakRssMiB(pid: number | undefined): number {
  try {
    const status = readFileSync(`/proc/${pid ?? 0}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

/** Whether a process is there. */
export const isAlive = (pid: number | undefined): boolean => peakRssMiB(pid) > 0;

/** Waits until something is so, at most for a number of seconds. */
export async function until(
  so: () => boolean | Promise<boolean>,
  seconds: number,
): Promise<boolean> {
  for (const deadline = Date.now() + seconds * 1000; !(await so());) {
    if (Date.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return true;
}

/** A count once it has not changed for a while: what is said of the last inputs comes late. */
export async function settled(count: () => number): Promise<number> {
  for (let before = -1; before !== count();) {
    before = count();
    await new Promise((resolve) => setTimeout(resolve, 500));
  }
  return count();
}
