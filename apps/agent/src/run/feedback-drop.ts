import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { AgentError } from '../errors.js';
import { syncDirectory } from '../store/atomic-file.js';
import { parseFeedback, type Feedback, type TakeFeedback } from './feedback.js';

const EVERY_MS = 1000;
const MOST_BYTES = 1024 * 1024;
const MOST_FILES = 100;
const MOST_SET_ASIDE = 100;
/** Where files go that cannot be read; the folder's own. */
const ASIDE = 'rejected';
const NAME = /^[^.].*\.jsonl$/;

/**
 * A folder into which applications drop labels: `*.jsonl` files, a line as the body of
 * `POST /v1/feedback`. A file is written beside and renamed into the folder; each is taken whole or not at all,
 * and removed before it is counted, so that it is never counted twice. What is not valid is set aside.
 */
export class FeedbackDrop {
  #timer: NodeJS.Timeout | undefined;

  /** @throws AgentError AGENT_OPTIONS when the folder cannot be had */
  constructor(
    private readonly folder: string,
    private readonly take: TakeFeedback,
    private readonly log: Logger,
  ) {
    try {
      mkdirSync(join(folder, ASIDE), { recursive: true });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new AgentError('AGENT_OPTIONS', `--feedback-dir ${folder}: ${why}`, { cause });
    }
  }

  start(): void {
    this.#timer = setInterval(() => this.look(), EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Takes what lies there now, in the order of the names; at most a hundred files. */
  look(): void {
    try {
      const names = readdirSync(this.folder).filter((name) => NAME.test(name));
      for (const name of names.sort().slice(0, MOST_FILES)) this.#file(name);
    } catch (error) {
      this.log.error({ err: error, folder: this.folder }, 'the feedback folder cannot be read');
    }
  }

  #file(name: string): void {
    const path = join(this.folder, name);
    const feedback = this.#read(path, name);
    if (!feedback) return;
    rmSync(path);
    syncDirectory(this.folder);
    const others = feedback.filter(
      ({ modelSha256, labelled, correct }) => !this.take(modelSha256, { labelled, correct }),
    );
    if (others.length > 0) {
      const labels = others.reduce((sum, { labelled }) => sum + labelled, 0);
      this.log.warn(
        { code: 'FEEDBACK_OTHER_MODEL', name, labels },
        'that model does not serve now',
      );
    }
  }

  #read(path: string, name: string): Feedback[] | null {
    const { size } = statSync(path);
    if (size > MOST_BYTES) {
      this.#setAside(name, 'FEEDBACK_TOO_LARGE', `It has ${size} bytes; at most ${MOST_BYTES}.`);
      return null;
    }
    const lines = readFileSync(path, 'utf8').split('\n');
    const feedback: Feedback[] = [];
    for (const [at, line] of lines.entries()) {
      if (line.trim() === '') continue;
      const parsed = parseFeedback(line);
      if ('problem' in parsed) {
        this.#setAside(name, 'FEEDBACK_INVALID', `Line ${at + 1}: ${parsed.problem}`);
        return null;
      }
      feedback.push(parsed.feedback);
    }
    return feedback;
  }

  /** Moves a file out of the way; the oldest there make room. */
  #setAside(name: string, code: string, why: string): void {
    this.log.warn({ code, name, why }, 'a feedback file was set aside');
    const aside = join(this.folder, ASIDE);
    const there = readdirSync(aside).sort();
    for (const old of there.slice(0, Math.max(0, there.length + 1 - MOST_SET_ASIDE))) {
      rmSync(join(aside, old), { force: true });
    }
    renameSync(join(this.folder, name), join(aside, name));
  }
}
