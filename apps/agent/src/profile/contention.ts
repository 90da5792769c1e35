import { readdirSync, readFileSync } from 'node:fs';

/** Milliseconds from `/proc/<pid>/task/<tid>/schedstat`: ready to run, but no processor was free. */
export function parseWaited(text: string): number {
  const nanoseconds = Number(text.split(' ')[1]);
  return Number.isFinite(nanoseconds) ? nanoseconds / 1e6 : 0;
}

/** How long all threads of this process have waited for a processor; 0 where it cannot be read. */
export function waitedMs(tasks = '/proc/self/task'): number {
  let sum = 0;
  for (const task of listed(tasks)) sum += waitOf(`${tasks}/${task}/schedstat`);
  return sum;
}

function listed(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}

function waitOf(path: string): number {
  try {
    return parseWaited(readFileSync(path, 'utf8'));
  } catch {
    // The thread ended meanwhile, or the kernel keeps no such figures.
    return 0;
  }
}
