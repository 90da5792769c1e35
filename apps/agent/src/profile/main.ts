/** The measuring process: settings in as JSON in the first argument, measurements out on stdout. */
import { env } from 'onnxruntime-node';
import { Caches } from './caches.js';
import { readConvBlock } from './conv-block.js';
import { readCpu } from './cpu.js';
import { GarbageCollector } from './garbage.js';
import { KernelTimer, timeCall } from './kernel-timing.js';
import { Probe } from './probe.js';
import { type Measurement, schedule } from './schedule.js';
import { type Measured, measuringSettingsSchema } from './settings.js';
import { measureKernels } from './visits.js';

const LEAST_RUNS = 7;
/** Share of the whole time that calls alone are measured for, at each thread count. */
const CALL_SHARE = 1 / 60;
/** Milliseconds of calls until the code around them is compiled again. */
const WARM_MS = 40;
/** Bytes read to empty the caches: what the last of them holds, at most what there is time for. */
const MOST_FILLING_BYTES = 32 * 2 ** 20;

const settings = measuringSettingsSchema.parse(JSON.parse(process.argv[2] ?? '{}'));
const started = performance.now();
const elapsedMs = () => performance.now() - started;
const cpu = await readCpu();
const threads = cpu.cores > 1 && !settings.quick ? [1, cpu.cores] : [1];

const callMs = settings.milliseconds * CALL_SHARE;
// Until the code around a call is compiled, calls take longer.
await timeCall(1, callMs);
const runtimeBytes = process.memoryUsage.rss();
const convBlock = await readConvBlock(settings.stateDir);

const probe = new Probe();
const garbage = new GarbageCollector();
const caches = new Caches(Math.min(MOST_FILLING_BYTES, cpu.cacheBytes ?? MOST_FILLING_BYTES));
const warm = async (): Promise<void> => {
  if (garbage.takeCold()) await timeCall(1, WARM_MS);
};
let timer: KernelTimer | undefined;
const timerOf = ({ kernel, precision }: Measurement): KernelTimer => {
  if (timer?.kernel === kernel && timer.precision === precision) return timer;
  // What a session leaves behind goes before the next is opened, and so does what opening leaves, which
  // would be collected while it is timed.
  const leavesMuch = kernel.weights !== 'near' || (timer && timer.kernel.weights !== 'near');
  const collect = (): void => (leavesMuch ? garbage.collectAll() : garbage.collect());
  timer = undefined;
  collect();
  const leavings = {
    collect,
    warm: async () => {
      if (kernel.weights === 'near') await warm();
    },
  };
  timer = new KernelTimer(kernel, precision, caches, leavings, probe);
  return timer;
};
const { kernels, disturbed, probeMs } = await measureKernels(
  schedule(threads, settings.quick),
  settings.milliseconds - threads.length * callMs,
  {
    elapsedMs,
    time: (one, milliseconds) =>
      timerOf(one).time(one.threads, { milliseconds, minRuns: LEAST_RUNS }),
  },
);

await warm();
const callOverheadMs: Measured['callOverheadMs'] = [];
for (const count of threads) {
  callOverheadMs.push({ threads: count, ms: await timeCall(count, callMs) });
}

const measured: Measured = {
  cpu,
  runtimeVersion: env.versions.node ?? env.versions.common,
  convBlock,
  runtimeBytes,
  callOverheadMs,
  kernels,
  disturbed,
  probeMs,
  measuringSeconds: elapsedMs() / 1000,
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
};
process.stdout.write(JSON.stringify(measured), () => process.exit(0));
