import { Worker } from 'node:worker_threads';
import type { Failure } from '@espalier/protocol';
import type {
  AnswerMessage,
  CallMessage,
  WorkerCall,
  WorkerCalls,
  WorkerSettings,
} from './requests.js';

/** A call that the worker could not do; for another hash than expected, which one it was. */
export class WorkerCallError extends Error {
  constructor(
    readonly failure: Failure,
    readonly loadedSha256: string | null,
  ) {
    super(failure.message);
    this.name = 'WorkerCallError';
  }
}

interface Waiting {
  resolve(answer: never): void;
  reject(error: unknown): void;
  readonly limit: NodeJS.Timeout;
}

/** What a {@link ModelWorker} tells of its thread. */
export interface WorkerWatch {
  /** The longest that a call may take, milliseconds. */
  readonly limitMs: number;
  /** The thread broke down: whatever was loaded is gone. */
  lost(reason: string): void;
  /** A call has not come back within the limit; nothing short of the process's end stops the runtime. */
  overdue(call: WorkerCall): void;
}

/** The inference thread as seen from the main one; it is started anew after it broke down. */
export class ModelWorker {
  #worker: Worker | null = null;
  #nextId = 1;
  readonly #waiting = new Map<number, Waiting>();

  constructor(
    private readonly settings: WorkerSettings,
    private readonly watch: WorkerWatch,
  ) {}

  /** Does a call in the thread. @throws WorkerCallError */
  call<C extends WorkerCall>(
    call: C,
    request: WorkerCalls[C]['request'],
  ): Promise<WorkerCalls[C]['answer']> {
    const worker = (this.#worker ??= this.#start());
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      const limit = setTimeout(() => this.watch.overdue(call), this.watch.limitMs);
      this.#waiting.set(id, { resolve, reject, limit });
      worker.postMessage({ id, call, request } satisfies CallMessage<C>);
    });
  }

  async stop(): Promise<void> {
    const worker = this.#worker;
    this.#worker = null;
    await worker?.terminate();
    this.#abandon('the agent stops');
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.js', import.meta.url), {
      workerData: this.settings,
    });
    let reason = 'it exited';
    worker.on('message', (message: AnswerMessage) => this.#settle(message));
    worker.on('error', (error: Error) => (reason = error.message));
    worker.once('exit', () => {
      if (this.#worker !== worker) return;
      this.#worker = null;
      this.#abandon(reason);
      this.watch.lost(reason);
    });
    return worker;
  }

  #settle(message: AnswerMessage): void {
    const waiting = this.#waiting.get(message.id);
    this.#waiting.delete(message.id);
    clearTimeout(waiting?.limit);
    if ('answer' in message) waiting?.resolve(message.answer as never);
    else waiting?.reject(new WorkerCallError(message.failure, message.failure.loadedSha256));
  }

  #abandon(reason: string): void {
    const failure = { code: 'RUN_WORKER', message: `The inference worker is gone: ${reason}` };
    for (const { reject, limit } of this.#waiting.values()) {
      clearTimeout(limit);
      reject(new WorkerCallError(failure, null));
    }
    this.#waiting.clear();
  }
}
