/**
 * One process of the truth: opens a model in ONNX Runtime as the agent does, runs it in a few windows
 * of time, and prints the median time of a run in each, and by how much it raised the peak of the
 * resident set. A reference model, the same in every process, runs before and after each window and
 * tells the state of the machine; windows are short, for that state changes within a tenth of a second.
 * Arguments: an empty model, the reference or `-`, the model, threads.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { contention, threadTimes } from '../../apps/agent/dist/profile/contention.js';

const [empty, reference, path, threads] = process.argv.slice(2);
const CALLS_MS = 150;
const WINDOWS = 6;
const WINDOW_MS = 40;
const REFERENCE_MS = 16;
/** Until a session just opened has each of its threads on a processor of its own. */
const OPENING_MS = 60;
/** Until the threads of the session that ran before no longer look for work. */
const CHANGE_MS = 10;
const LEAST_RUNS = 7;
const RUNS_FOR_MEMORY = 10;

try {
  writeFileSync('/proc/self/autogroup', '-20');
} catch {
  // Only root may go before others; then others must be quiet.
}

const options = {
  executionProviders: ['cpu'],
  intraOpNumThreads: Number(threads),
  interOpNumThreads: 1,
  executionMode: 'sequential',
  graphOptimizationLevel: 'all',
  logSeverityLevel: 3,
};

/** Resident bytes now and at most so far. */
function resident() {
  const status = readFileSync('/proc/self/status', 'utf8');
  const kibibytes = (key) => Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]);
  return { now: kibibytes('VmRSS') * 1024, most: kibibytes('VmHWM') * 1024 };
}

function feedsOf(session) {
  return Object.fromEntries(
    session.inputMetadata.map(({ name, shape }) => {
      const dims = shape.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : 1));
      const size = dims.reduce((product, dim) => product * dim, 1);
      const values = Float32Array.from({ length: size }, (_, i) => (i % 17) / 17);
      return [name, new Tensor('float32', values, dims)];
    }),
  );
}

/** Median of a session's runs after a warm-up, milliseconds. */
async function medianOf(session, warmUpMs, forMs) {
  const feeds = feedsOf(session);
  const times = [];
  const start = performance.now();
  for (let before = start; ;) {
    await session.run(feeds);
    const after = performance.now();
    if (after > start + warmUpMs) times.push(after - before);
    if (after > start + warmUpMs + forMs && times.length >= LEAST_RUNS) break;
    before = after;
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1];
}

const runtime = await InferenceSession.create(readFileSync(empty), options);
await runtime.run(feedsOf(runtime));
const isTimed = reference !== '-';
// As in a process that has served for a while: the code around a call is compiled.
if (isTimed) await medianOf(runtime, CALLS_MS, 0);
await runtime.release();
// Its threads sleep as soon as a run ends, or they would take a processor from the model's.
const sleeping = { ...options, extra: { session: { force_spinning_stop: '1' } } };
const tells = isTimed ? await InferenceSession.create(readFileSync(reference), sleeping) : null;
if (tells) await medianOf(tells, OPENING_MS, 0);
globalThis.gc?.();
const start = resident();
const session = await InferenceSession.create(readFileSync(path), options);
const feeds = feedsOf(session);
for (let run = 0; run < RUNS_FOR_MEMORY; run++) await session.run(feeds);
const peakBytes = resident().most - start.now;
const windows = [];
if (tells) {
  await medianOf(session, OPENING_MS, 0);
  for (let before = await medianOf(tells, CHANGE_MS, REFERENCE_MS); windows.length < WINDOWS;) {
    const [threadsBefore, opened] = [threadTimes(), performance.now()];
    const p50 = await medianOf(session, CHANGE_MS, WINDOW_MS);
    const waiting = contention(threadsBefore, threadTimes(), performance.now() - opened);
    const after = await medianOf(tells, CHANGE_MS, REFERENCE_MS);
    windows.push({ p50, waiting, referenceMs: Math.max(before, after) });
    before = after;
  }
}
process.stdout.write(JSON.stringify({ windows, peakBytes }));
