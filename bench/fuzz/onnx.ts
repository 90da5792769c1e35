import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { cpuSeconds, peakRssMiB, Tally, type FuzzRun, type Outcome } from './outcome.js';
import { originalModels, spoiltModel } from './spoilt-models.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FOLDERS = ['examples', '../shared/models'].map((folder) => `${ROOT}${folder}`);
/** Old space of the reader's heap: where it does not suffice, Node ends the process. */
const HEAP_MIB = 512;
const BOUND = {
  boundMiB: HEAP_MIB + 256,
  bound: `reader: a heap of ${HEAP_MIB} MiB that must suffice, and 256 MiB for Node, file and constants`,
};
/** Processor time that one file of some megabytes may take; a busy machine changes it little. */
const MOST_SECONDS = 60;

const answerSchema = z.object({ code: z.string(), milliseconds: z.number() });
type Answer = z.infer<typeof answerSchema>;

/** Spoilt models to the reader and everything that reads on from it, in a process of its own. */
export async function fuzzOnnx(run: FuzzRun): Promise<Outcome> {
  const { count, seed, note } = run;
  const tally = new Tally('onnx', run);
  const originals = originalModels(FOLDERS.filter(existsSync));
  const folder = mkdtempSync(join(tmpdir(), 'espalier-fuzz-'));
  const path = join(folder, 'input.onnx');
  let [peak, slowest, reader] = [0, 0, new Reader()];
  try {
    for (let index = 0; index < count; index += 1) {
      const { name, bytes } = spoiltModel(originals, seed, index);
      writeFileSync(path, bytes);
      const answer = await reader.answer(path);
      const within = peak <= BOUND.boundMiB;
      peak = Math.max(peak, reader.peakMiB);
      slowest = Math.max(slowest, answer?.milliseconds ?? 0);
      const blame = (what: string): void => tally.failOn(`${index} (${name}): ${what}`, bytes);
      if (within && peak > BOUND.boundMiB) blame(`the reader took ${peak.toFixed(0)} MiB`);
      if (answer === null) {
        blame(`the reader ended, or took more than ${MOST_SECONDS} s`);
        reader.end();
        reader = new Reader();
      } else if (answer.code === 'accepted') tally.accepted += 1;
      else if (answer.code.startsWith('UNCODED')) blame(answer.code);
      else tally.refuse(answer.code);
      if ((index + 1) % 1000 === 0)
        note(`onnx: ${index + 1} read, slowest ${slowest.toFixed(0)} ms`);
    }
    writeFileSync(path, originals[0] ?? '');
    const servedAfter = (await reader.answer(path))?.code === 'accepted';
    note(`onnx: slowest file ${slowest.toFixed(0)} ms`);
    return {
      ...{ target: 'onnx', seed, inputs: count, accepted: tally.accepted },
      ...{ refused: tally.refused, failures: tally.failures },
      ...{ peakRssMiB: peak, ...BOUND, servedAfter },
    };
  } finally {
    reader.end();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The process that reads, asked one file at a time. */
class Reader {
  peakMiB = 0;
  private readonly child = spawn(
    process.execPath,
    [
      `--max-old-space-size=${HEAP_MIB}`,
      ...['--no-warnings', '--conditions=espalier-source', '--import', './bench/register.mjs'],
      'bench/fuzz/onnx-reader.ts',
    ],
    { cwd: ROOT, stdio: ['pipe', 'pipe', 'inherit'] },
  );
  private readonly lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();

  constructor() {
    // A reader that died is told by its silence.
    this.child.stdin.on('error', () => undefined);
  }

  /** What became of a file; null when the process ended or took too long. */
  async answer(path: string): Promise<Answer | null> {
    const most = cpuSeconds(this.child.pid) + MOST_SECONDS;
    const watchdog = setInterval(() => {
      if (cpuSeconds(this.child.pid) > most) this.end();
    }, 1000);
    this.child.stdin.write(`${path}\n`);
    const line = await this.lines.next();
    clearInterval(watchdog);
    this.peakMiB = Math.max(this.peakMiB, peakRssMiB(this.child.pid));
    return line.done ? null : answerSchema.parse(JSON.parse(line.value));
  }

  end(): void {
    this.child.kill('SIGKILL');
  }
}
