import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { z } from 'zod';
import { CHROMIUM, launchChromium } from '../../apps/console/test/chromium.js';
import { BenchError, type BenchContext, type Benchmark } from '../benchmark.js';
import { ADMIN_PASSWORD } from '../delivery/server.js';
import { Site } from '../ingest/site.js';
import { FleetPage } from './fleet-page.js';

/** Of the agent's telemetry, by default. */
const REPORT_EVERY_SECONDS = 60;
const CONNECTIONS = 20;
const DRAIN_SECONDS = 60;

const timesSchema = z.strictObject({ median: z.number(), most: z.number() });
const measuredSchema = z.strictObject({
  devices: z.number(),
  loads: z.number(),
  firstPaintMs: timesSchema,
  firstRowsMs: timesSchema,
  scroll: z.strictObject({
    frames: z.number(),
    longFrames: z.number(),
    longestFrameMs: z.number(),
    droppedShare: z.number(),
    waitingShare: z.number(),
    rowsPassed: z.number(),
  }),
});
type Measured = z.infer<typeof measuredSchema>;
const resultSchema = measuredSchema.extend({ baseline: measuredSchema });

/** The fleet page in Chromium while its devices report, beside the same page with few devices. */
export const benchmark: Benchmark<z.infer<typeof resultSchema>> = {
  about: 'first paint and scrolling of the fleet page with 10,000 devices, in Chromium',
  options: {
    devices: { type: 'string', default: '10000' },
    baseline: { type: 'string', default: '100' },
    loads: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '10' },
    slowdown: { type: 'string', default: '1' },
  },
  document: resultSchema,
  run: async ({ values, note }) => {
    await access(CHROMIUM).catch(() => {
      throw new BenchError(
        'BENCH_INPUT',
        `Chromium is not at ${CHROMIUM}; install it, or name it in CHROMIUM.`,
      );
    });
    const browser = await launchChromium();
    try {
      const asked = {
        loads: Number(values['loads']),
        seconds: Number(values['seconds']),
        slowdown: Number(values['slowdown']),
      };
      const baseline = await measure(browser, Number(values['baseline']), asked, note);
      return { ...(await measure(browser, Number(values['devices']), asked, note)), baseline };
    } finally {
      await browser.close();
    }
  },
};

async function measure(
  browser: Browser,
  devices: number,
  { loads, seconds, slowdown }: { loads: number; seconds: number; slowdown: number },
  note: BenchContext['note'],
): Promise<Measured> {
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  const site = new Site(folder, devices);
  try {
    await site.start();
    const load = await site.load(devices / REPORT_EVERY_SECONDS, CONNECTIONS);
    await load.sending();
    note(`${devices} devices report once in ${REPORT_EVERY_SECONDS} s`);
    const page = await FleetPage.signIn(browser, site.server.url, ADMIN_PASSWORD);
    const paints: number[] = [];
    const rows: number[] = [];
    for (let one = 0; one < loads; one += 1) {
      const { firstPaintMs, firstRowsMs } = await page.load();
      paints.push(firstPaintMs);
      rows.push(firstRowsMs);
      note(`painted after ${firstPaintMs.toFixed(0)} ms, devices after ${firstRowsMs.toFixed(0)}`);
    }
    const scroll = await page.scroll(1000 * seconds, slowdown);
    note(`${scroll.rowsPassed} rows passed, ${scroll.longFrames} frames of ${scroll.frames} long`);
    await load.end(DRAIN_SECONDS);
    return { devices, loads, firstPaintMs: timesOf(paints), firstRowsMs: timesOf(rows), scroll };
  } finally {
    await site.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

function timesOf(times: readonly number[]): z.infer<typeof timesSchema> {
  const sorted = [...times].sort((a, b) => a - b);
  return { median: sorted[Math.floor(sorted.length / 2)] ?? 0, most: sorted.at(-1) ?? 0 };
}
