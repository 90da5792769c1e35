import { randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { AgentError } from '../errors.js';
import { readIfThere, syncDirectory, writeAtomically } from '../store/atomic-file.js';
import { parseFeedback, type Feedback, type TakeFeedback } from './feedback.js';

const EVERY_MS = 1000;
const MOST_BYTES = 1024 * 1024;
const MOST_FILES = 100;
const MOST_SET_ASIDE = 100;
/** Files of one window; more wait for the next. */
const MOST_COUNTED = 1000;
/** Where files go that cannot be read; the folder's own. */
const ASIDE = 'rejected';
/** Where files are whose labels are in the window that is open. */
const COUNTED = 'counted';
/** Says which message the files of {@link COUNTED} go out with, before it is kept. */
const LEDGER = 'ledger.json';
const NAME = /^[^.].*\.jsonl$/;

const ledgerSchema = z.object({ messageId: z.string(), names: z.array(z.string()) });

/**
 * A folder into which applications drop labels: `*.jsonl` files, a line as the body of
 * `POST /v1/feedback`. A file is written beside and renamed into the folder; each is taken whole or not
 * at all, and its labels are reported exactly once: it stays on the disk until the message with its
 * labels does, and the id of that message is written down before. What is not valid is set aside.
 */
export class FeedbackDrop {
  #timer: NodeJS.Timeout | undefined;
  readonly #counted: string[] = [];

  /**
   * @param isKept whether a message of that id waits to be sent
   * @throws AgentError AGENT_OPTIONS when the folder cannot be had
   */
  constructor(
    private readonly folder: string,
    private readonly take: TakeFeedback,
    isKept: (messageId: string) => boolean,
    private readonly log: Logger,
  ) {
    try {
      mkdirSync(join(folder, ASIDE), { recursive: true });
      mkdirSync(join(folder, COUNTED), { recursive: true });
      this.#recover(isKept);
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
      const most = Math.min(MOST_FILES, MOST_COUNTED - this.#counted.length);
      const names = readdirSync(this.folder).filter((name) => NAME.test(name));
      for (const name of names.sort().slice(0, most)) this.#file(name);
    } catch (error) {
      this.log.error({ err: error, folder: this.folder }, 'the feedback folder cannot be read');
    }
  }

  /**
   * Keeps the message with the window's labels, and then forgets their files.
   * @param keep puts the message where it stays until the server has it; where it fails, the files'
   *   labels are counted again, in the next window
   */
  settle(messageId: string, keep: () => void): void {
    if (this.#counted.length === 0) return keep();
    const names = this.#counted.splice(0);
    try {
      const ledger = JSON.stringify({ messageId, names } satisfies z.infer<typeof ledgerSchema>);
      writeAtomically(this.#ledger, ledger, { durable: true });
      keep();
    } catch (error) {
      this.#putBack(names);
      throw error;
    }
    this.#forget(names);
  }

  get #ledger(): string {
    return join(this.folder, COUNTED, LEDGER);
  }

  /** After a crash: what went out with its message is forgotten, the rest is counted again. */
  #recover(isKept: (messageId: string) => boolean): void {
    const stored = readIfThere(this.#ledger);
    const ledger = stored && ledgerSchema.parse(JSON.parse(stored.toString('utf8')));
    if (ledger && isKept(ledger.messageId)) this.#forget(ledger.names);
    const left = readdirSync(join(this.folder, COUNTED)).filter((name) => NAME.test(name));
    this.#putBack(left);
  }

  #forget(names: readonly string[]): void {
    for (const name of names) rmSync(join(this.folder, COUNTED, name), { force: true });
    syncDirectory(join(this.folder, COUNTED));
    rmSync(this.#ledger, { force: true });
  }

  #putBack(names: readonly string[]): void {
    for (const name of names) renameSync(join(this.folder, COUNTED, name), join(this.folder, name));
    rmSync(this.#ledger, { force: true });
  }

  #file(name: string): void {
    const path = join(this.folder, name);
    const feedback = this.#read(path, name);
    if (!feedback) return;
    // An application may use a name again, while its last file still waits.
    const counted = `${randomUUID()}.jsonl`;
    renameSync(path, join(this.folder, COUNTED, counted));
    this.#counted.push(counted);
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
