import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { lowerPriority } from '../models/child-priority.js';
import { judgeAnswerSchema, type JudgeResult, type JudgeTask } from './judge-messages.js';

const WORKER = fileURLToPath(new URL('./judge-worker.js', import.meta.url));
/** Below that of compressions, too: what is judged a little later is still right. */
const PRIORITY = 10;
const STDERR_KEPT = 1024;

interface Waiting {
  readonly id: number;
  readonly timer: NodeJS.Timeout;
  resolve(results: JudgeResult[]): void;
  reject(cause: Error): void;
}

/**
 * A process of its own for the dense models, so that the API answers while they run and lives on when
 * one takes the runtime down. It is started when there is something to judge, and ends when idle.
 */
export class JudgeProcess {
  private child: ChildProcess | null = null;
  private waiting: Waiting | null = null;
  private idle: NodeJS.Timeout | undefined;
  private nextId = 1;

  constructor(private readonly limits: { readonly timeoutMs: number; readonly idleMs: number }) {}

  /** Judges samples, one task at a time. @throws Error when the process ended or took too long */
  judge(task: Omit<JudgeTask, 'id'>): Promise<JudgeResult[]> {
    if (this.waiting) throw new Error('The judging process is at work.');
    clearTimeout(this.idle);
    const child = (this.child ??= this.start());
    const id = this.nextId;
    this.nextId += 1;
    return new Promise<JudgeResult[]>((resolve, reject) => {
      const timer = setTimeout(
        () => this.end(`It took more than ${this.limits.timeoutMs / 1000} s.`),
        this.limits.timeoutMs,
      );
      this.waiting = { id, timer, resolve, reject };
      child.send({ id, ...task } satisfies JudgeTask, (cause) => {
        if (cause) this.end(cause.message);
      });
    }).finally(() => {
      this.idle = setTimeout(() => this.end('It has nothing to do.'), this.limits.idleMs);
      this.idle.unref();
    });
  }

  /** Kills the process; what it was at is not judged. */
  end(why: string): void {
    clearTimeout(this.idle);
    const { child } = this;
    this.child = null;
    child?.kill('SIGKILL');
    this.settle(({ reject }) => reject(new Error(why)));
  }

  private start(): ChildProcess {
    const child = fork(WORKER, [], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    lowerPriority(child, PRIORITY);
    let errors = '';
    child.stderr?.on('data', (part: Buffer) => {
      errors = (errors + part.toString('utf8')).slice(-STDERR_KEPT);
    });
    child.on('message', (raw) => {
      const parsed = judgeAnswerSchema.safeParse(raw);
      if (this.child !== child) return;
      if (!parsed.success) this.end('The judging process said what it may not say.');
      else if (parsed.data.id === this.waiting?.id) {
        this.settle(({ resolve }) => resolve(parsed.data.results));
      }
    });
    const gone = (why: string): void => {
      if (this.child === child) this.end(why);
    };
    child.once('error', (cause) => gone(cause.message));
    child.once('close', (code, signal) =>
      gone(`It ended with ${signal ?? String(code)}. ${errors}`),
    );
    return child;
  }

  private settle(how: (waiting: Waiting) => void): void {
    const { waiting } = this;
    this.waiting = null;
    if (!waiting) return;
    clearTimeout(waiting.timer);
    how(waiting);
  }
}
