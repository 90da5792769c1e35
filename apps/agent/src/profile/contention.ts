import { readdirSync, readFileSync } from 'node:fs';

/** How long a thread has run, and has been ready while no processor was free, milliseconds. */
export interface ThreadTime {
  readonly ran: number;
  readonly waited: number;
}

/** Parses `/proc/<pid>/task/<tid>/schedstat`: nanoseconds run, nanoseconds waited, time slices. */
export function parseThreadTime(text: string): ThreadTime {
  const [ran, waited] = text.split(' ').map((nanoseconds) => Number(nanoseconds) / 1e6);
  return { ran: finite(ran), waited: finite(waited) };
}

/** The times of all threads of this process, by thread; empty where they cannot be read. */
export function threadTimes(tasks = '/proc/self/task'): ReadonlyMap<string, ThreadTime> {
  const times = new Map<string, ThreadTime>();
  for (const task of listed(tasks)) {
    try {
      times.set(task, parseThreadTime(readFileSync(`${tasks}/${task}/schedstat`, 'utf8')));
    } catch {
      // The thread ended meanwhile, or the kernel keeps no such figures.
    }
  }
  return times;
}

/** A thread that ran less of a time than this is not one of those that do the work. */
const WORKING_SHARE = 0.2;

/**
 * Waiting of the threads that did the work between two readings, over the time between, all together:
 * 1 where two of them took turns on one processor.
 */
export function contention(
  before: ReadonlyMap<string, ThreadTime>,
  after: ReadonlyMap<string, ThreadTime>,
  elapsedMs: number,
): number {
  let waited = 0;
  for (const [task, now] of after) {
    const then = before.get(task);
    if (then && now.ran - then.ran >= WORKING_SHARE * elapsedMs) waited += now.waited - then.waited;
  }
  return waited / elapsedMs;
}

const finite = (value: number | undefined): number =>
  value !== undefined && Number.isFinite(value) ? value : 0;

function listed(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
