import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(new URL('../apps/cli/dist/main.js', import.meta.url));
const PROCESS_USAGE = new URL('./process-usage.mjs', import.meta.url).href;

/** A process that has ended, and what it took. */
export interface Measured {
  /** Null: a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From its start to its end, start of Node included. */
  readonly seconds: number;
  /** Processor time, all cores together: what `seconds` would be on one idle core. */
  readonly cpuSeconds: number;
  readonly peakRssMiB: number;
}

/** Runs `espalier` in a process of its own. @param mostSeconds it is killed when it takes longer */
export async function measureEspalier(
  args: readonly string[],
  mostSeconds?: number,
): Promise<Measured> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, ['--import', PROCESS_USAGE, CLI, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    ...(mostSeconds !== undefined && { timeout: 1000 * mostSeconds, killSignal: 'SIGKILL' }),
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) => resolve(exitCode));
  });
  const [stdout, stderr, usage, exitCode] = await Promise.all([
    text(child.stdout as Readable),
    text(child.stderr as Readable),
    text(child.stdio[3] as Readable),
    ended,
  ]);
  const seconds = (performance.now() - startedAt) / 1000;
  const [peakKiB = 0, cpuMicroseconds = 0] = usage.split(' ').map(Number);
  return {
    ...{ exitCode, stdout, stderr, seconds },
    cpuSeconds: cpuMicroseconds / 1e6,
    peakRssMiB: peakKiB / 1024,
  };
}
