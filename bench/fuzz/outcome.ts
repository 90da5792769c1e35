import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
  /** What the largest resident set may be, and what it is made of. */
  boundMiB: z.number(),
  bound: z.string(),
  /** Whether a sound message was served afterwards. */
  servedAfter: z.boolean(),
});
export type Outcome = z.infer<typeof outcomeSchema>;

/** How many inputs, from which seed, and whom to tell how it goes. */
export interface FuzzRun {
  readonly count: number;
  readonly seed: number;
  note(line: string): void;
  /** Folder for inputs that something went wrong with. */
  readonly keep?: string;
}

const MOST_FAILURES = 20;

/** Inputs sent last, of which one is to blame when something goes wrong. */
const MOST_KEPT = 256;

/** Counts outcomes, and writes down the inputs that led to a failure. */
export class Tally {
  accepted = 0;
  readonly refused: Record<string, number> = {};
  readonly failures: string[] = [];
  private readonly inputs: { readonly to: string; readonly bytes: Uint8Array }[] = [];

  constructor(
    private readonly target: string,
    private readonly run: FuzzRun,
  ) {}

  /** Notes an input before it is sent. */
  sends(to: string, bytes: Uint8Array): void {
    this.inputs.push({ to, bytes });
    if (this.inputs.length > MOST_KEPT) this.inputs.shift();
  }

  refuse(code: string): void {
    this.refused[code] = (this.refused[code] ?? 0) + 1;
  }

  /** A failure that one of the inputs sent last led to: they are written down, a line of JSON each. */
  fail(what: string): void {
    const lines = this.inputs.map(({ to, bytes }) =>
      JSON.stringify({ to, base64: Buffer.from(bytes).toString('base64') }),
    );
    this.write(what, 'jsonl', Buffer.from(lines.join('\n')));
  }

  /** A failure on one input, which is written down as it is. */
  failOn(what: string, input: Uint8Array): void {
    this.write(what, 'bin', input);
  }

  private write(what: string, ending: string, content: Uint8Array): void {
    if (this.failures.length >= MOST_FAILURES) return;
    const { keep: folder = join(tmpdir(), 'espalier-fuzz'), seed } = this.run;
    mkdirSync(folder, { recursive: true });
    const path = join(folder, `${this.target}-${seed}-${this.failures.length}.${ending}`);
    writeFileSync(path, content);
    this.failures.push(`${what.slice(0, 500)} (see ${path})`);
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

/** Processor time that a process took so far, seconds, in ticks of a hundredth; 0 when it is gone. */
export function cpuSeconds(pid: number | undefined): number {
  try {
    const stat = readFileSync(`/proc/${pid ?? 0}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
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
