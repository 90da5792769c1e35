import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { lowerPriority } from './child-priority.js';
import {
  compressionMessageSchema,
  type CompressionMessage,
  type CompressionTask,
} from './compression-messages.js';

const WORKER = fileURLToPath(new URL('./compression-worker.js', import.meta.url));
const PRIORITY = 5;
const STDERR_KEPT = 4096;

/** A compression that ended without its result: what it said, or how its process died. */
export class CompressionFailed extends Error {
  constructor(
    readonly code: string,
    message: string,
  ) {
    super(message);
    this.name = 'CompressionFailed';
  }
}

type Outcome<T extends CompressionTask> = Extract<
  CompressionMessage,
  { type: T['type'] extends 'inspect' ? 'inspected' : 'compressed' }
>;

/**
 * Runs one task in a process of its own; aborting kills the process.
 * @throws CompressionFailed with the code of the library, or COMPRESS_PROCESS, COMPRESS_CANCELLED,
 *   COMPRESS_TIMEOUT
 */
export function runCompression<T extends CompressionTask>(
  task: T,
  onProgress: (progress: { stage: string; done: number; total: number }) => void,
  signal: AbortSignal,
): Promise<Outcome<T>> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) {
      reject(cancelled(signal));
      return;
    }
    const child = fork(WORKER, [], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
    lowerPriority(child, PRIORITY);
    let errors = '';
    child.stderr?.on('data', (part: Buffer) => {
      errors = (errors + part.toString('utf8')).slice(-STDERR_KEPT);
    });
    const kill = (): void => void child.kill('SIGKILL');
    signal.addEventListener('abort', kill, { once: true });
    let outcome: Outcome<T> | null = null;
    let failure: CompressionFailed | null = null;
    child.on('message', (raw) => {
      const parsed = compressionMessageSchema.safeParse(raw);
      if (!parsed.success) {
        failure = new CompressionFailed('COMPRESS_PROCESS', 'The worker said what it may not say.');
        kill();
      } else if (parsed.data.type === 'progress') {
        onProgress(parsed.data);
      } else if (parsed.data.type === 'failed') {
        failure = new CompressionFailed(parsed.data.code, parsed.data.message);
      } else {
        outcome = parsed.data as Outcome<T>;
      }
    });
    child.on('error', (cause) => {
      failure = new CompressionFailed('COMPRESS_PROCESS', cause.message);
    });
    child.on('close', (code, endedBy) => {
      signal.removeEventListener('abort', kill);
      if (signal.aborted) reject(cancelled(signal));
      else if (failure) reject(failure);
      else if (outcome) resolve(outcome);
      else {
        const how = endedBy === null ? `exit code ${String(code)}` : endedBy;
        reject(
          new CompressionFailed(
            'COMPRESS_PROCESS',
            `The compression process ended with ${how} before its result. ${errors.trim().slice(-500)}`,
          ),
        );
      }
    });
    child.send(task);
  });
}

function cancelled({ reason }: AbortSignal): CompressionFailed {
  return reason instanceof DOMException && reason.name === 'TimeoutError'
    ? new CompressionFailed('COMPRESS_TIMEOUT', 'The model took too long to be looked into.')
    : new CompressionFailed('COMPRESS_CANCELLED', 'The compression was cancelled.');
}
