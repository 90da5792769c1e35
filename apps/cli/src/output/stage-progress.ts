import progress from 'cli-progress';
import { duration } from './figures.js';

/** How far a stage is. */
export interface StageUpdate {
  readonly stage: string;
  readonly done: number;
  readonly total: number;
}

/** Shows stages as they go on. */
export interface StageProgress {
  update(update: StageUpdate): void;
  /** Leaves what is shown, and the cursor, in order. */
  stop(): void;
}

/** Bars on a terminal; elsewhere plain lines, few enough for a log. */
export function showStages(stream: NodeJS.WriteStream): StageProgress {
  return stream.isTTY
    ? stageBars(stream)
    : stageLines(
        (line) => void stream.write(`${line}\n`),
        () => performance.now(),
      );
}

function stageBars(stream: NodeJS.WriteStream): StageProgress {
  const bars = new progress.MultiBar(
    {
      stream,
      hideCursor: true,
      format: '{stage} {bar} {percentage} %  {eta_formatted} left',
      barsize: 30,
    },
    progress.Presets.shades_classic,
  );
  const shown = new Map<string, { bar: progress.SingleBar; done: number }>();
  return {
    update({ stage, done, total }) {
      const payload = { stage: stage.padEnd(12) };
      const known = shown.get(stage);
      if (known && endsWhole({ stage, done, total }, known.bar.getTotal())) return;
      if (!known) {
        shown.set(stage, { bar: bars.create(total, done, payload), done });
        return;
      }
      // A stage that begins again, for the next variant, takes its bar from the start.
      if (done < known.done || known.bar.getTotal() !== total) {
        known.bar.start(total, done, payload);
      } else known.bar.update(done, payload);
      known.done = done;
    },
    stop: () => bars.stop(),
  };
}

const LINE_EVERY_MS = 5_000;

/**
 * A line at the start and at the end of a stage, and one in every five seconds between.
 * @param now milliseconds of a clock that never goes back
 */
export function stageLines(write: (line: string) => void, now: () => number): StageProgress {
  let stage = '';
  let last = { done: 0, total: 0, startedAt: 0, writtenAt: 0 };
  return {
    update(update) {
      if (update.stage === stage && endsWhole(update, last.total)) return;
      const at = now();
      const begins = update.stage !== stage || update.done < last.done;
      if (begins) last = { ...update, startedAt: at, writtenAt: at };
      const ends = update.done >= update.total && last.done < last.total;
      stage = update.stage;
      last = { ...last, done: update.done, total: update.total };
      if (!begins && !ends && at - last.writtenAt < LINE_EVERY_MS) return;
      last.writtenAt = at;
      const parts = update.total > 1 ? ` ${update.done}/${update.total}` : '';
      if (update.total > 1 || begins) {
        write(`${stage}${parts}${timeLeft(update, at - last.startedAt)}`);
      }
    },
    stop: () => undefined,
  };
}

/** A stage that counted its parts is said to be done as a whole, too: that is no news. */
const endsWhole = ({ done, total }: StageUpdate, counted: number): boolean =>
  total === 1 && done === 1 && counted > 1;

function timeLeft({ done, total }: StageUpdate, spentMs: number): string {
  if (done <= 0 || done >= total || spentMs < 1_000) return '';
  return `, about ${duration(((spentMs / done) * (total - done)) / 1000)} left`;
}
