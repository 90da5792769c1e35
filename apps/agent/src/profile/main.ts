/** The measuring process: settings in as JSON in the first argument, measurements out on stdout. */
import { env } from 'onnxruntime-node';
import type { KernelTime } from '@espalier/protocol';
import { readConvBlock } from './conv-block.js';
import { readCpu } from './cpu.js';
import { timeCall, timeKernel } from './kernel-timing.js';
import { schedule } from './schedule.js';
import { type Measured, measuringSettingsSchema } from './settings.js';

const settings = measuringSettingsSchema.parse(JSON.parse(process.argv[2] ?? '{}'));
const started = performance.now();
const elapsed = () => performance.now() - started;
const cpu = await readCpu();
const threads = cpu.cores > 1 ? [1, cpu.cores] : [1];

const callBudget = { milliseconds: settings.milliseconds / 40, minRuns: 10 };
const callOverheadMs: Measured['callOverheadMs'] = [];
for (const count of threads) {
  callOverheadMs.push({ threads: count, ms: await timeCall(count, callBudget) });
}
const runtimeBytes = process.memoryUsage.rss();
const convBlock = await readConvBlock(settings.stateDir);

const todo = schedule();
const kernels: KernelTime[] = [];
for (const [index, { kernel, precision }] of todo.entries()) {
  const left = settings.milliseconds - elapsed();
  if (left <= 0) break;
  // Making and opening the sessions takes about half of the time.
  const milliseconds = left / (todo.length - index) / threads.length / 2;
  kernels.push(...(await timeKernel(kernel, precision, threads, { milliseconds, minRuns: 3 })));
  globalThis.gc?.();
}

const measured: Measured = {
  cpu,
  runtimeVersion: env.versions.node ?? env.versions.common,
  convBlock,
  runtimeBytes,
  callOverheadMs,
  kernels,
  measuringSeconds: elapsed() / 1000,
  peakRssBytes: process.resourceUsage().maxRSS * 1024,
};
process.stdout.write(JSON.stringify(measured), () => process.exit(0));
