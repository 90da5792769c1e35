import type { ChildProcess } from 'node:child_process';
import { setPriority } from 'node:os';

/**
 * Puts a child below the server, so that the API answers while every core is at work.
 * @param priority from 1 to 19; the server has 0
 */
export function lowerPriority(child: ChildProcess, priority: number): void {
  if (child.pid === undefined) return;
  try {
    setPriority(child.pid, priority);
  } catch {
    // The process has ended already; how is told by its close event.
  }
}
