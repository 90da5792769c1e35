/**
 * One process of the truth: opens a model in ONNX Runtime as the agent does, runs it in a few windows
 * of time, and prints the median time of a run in each, and by how much it raised the peak of the
 * resident set. A reference model, the same in every process, runs before and after each window and
 * tells the state of the machine. Arguments: an empty model, the reference or `-`, the model, threads.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';

const [empty, reference, path, threads] = process.argv.slice(2);
const CALLS_MS = 150;
const WINDOWS = 3;
const WINDOW_MS = 50;
const WARM_UP_MS = 60;
const REFERENCE_MS = 25;
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

/** The median of the reference in a session of its own: threads of two would take turns. */
async function referenceMs() {
  const session = await InferenceSession.create(readFileSync(reference), options);
  try {
    return await medianOf(session, REFERENCE_MS / 2, REFERENCE_MS);
  } finally {
    await session.release();
  }
}

const runtime = await InferenceSession.create(readFileSync(empty), options);
await runtime.run(feedsOf(runtime));
const isTimed = reference !== '-';
// As in a process that has served for a while: the code around a call is compiled.
if (isTimed) await medianOf(runtime, CALLS_MS, 0);
await runtime.release();
let before = isTimed ? await referenceMs() : 0;
globalThis.gc?.();
const start = resident();
let peakBytes = 0;
const windows = [];
do {
  const session = await InferenceSession.create(readFileSync(path), options);
  if (peakBytes === 0) {
    const feeds = feedsOf(session);
    for (let run = 0; run < RUNS_FOR_MEMORY; run++) await session.run(feeds);
    peakBytes = resident().most - start.now;
  }
  const p50 = isTimed ? await medianOf(session, WARM_UP_MS, WINDOW_MS) : 0;
  await session.release();
  const after = isTimed ? await referenceMs() : 0;
  windows.push({ p50, referenceMs: Math.max(before, after) });
  before = after;
} while (isTimed && windows.length < WINDOWS);
process.stdout.write(JSON.stringify({ windows, peakBytes }));
