import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import type { Benchmark } from '../benchmark.js';
import { Site } from './site.js';

const PAGE_EVERY_MS = 250;
const DRAIN_SECONDS = 60;

const resultSchema = z.strictObject({
  devices: z.number(),
  reportsPerSecond: z.number(),
  lost: z.number(),
  fleetPageP95Ms: z.number(),
});

/** Telemetry of a large fleet; broker, server and load generator are processes of their own. */
export const benchmark: Benchmark<z.infer<typeof resultSchema>> = {
  about: 'telemetry of 10,000 devices at 2,000 reports a second, with the fleet page asked for',
  options: {
    devices: { type: 'string', default: '10000' },
    rate: { type: 'string', default: '2050' },
    seconds: { type: 'string', default: '60' },
    connections: { type: 'string', default: '50' },
  },
  document: resultSchema,
  run: async ({ values, note }) => {
    const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
    const devices = Number(values['devices']);
    const site = new Site(folder, devices);
    try {
      await site.start();
      const load = await site.load(Number(values['rate']), Number(values['connections']));
      await load.sending();
      note(`${devices} devices send`);
      const pages = await askForPages(site, Number(values['seconds']) * 1000);
      const { end, acknowledged } = await load.end(DRAIN_SECONDS);
      await site.server.stop();
      const { lost, twice, watched } = site.audit(acknowledged);
      const p95 = pages[Math.floor(0.95 * pages.length)] ?? Infinity;
      note(
        `sent ${end.sent}, acknowledged ${end.acknowledged}, sent again ${end.again}, twice ${twice}, devices watched for drift ${watched}; ` +
          `until the acknowledgement p50 ${end.latencyMs.p50.toFixed(0)} ms, p95 ${end.latencyMs.p95.toFixed(0)} ms`,
      );
      return {
        devices,
        reportsPerSecond: end.sustained,
        lost: lost + end.sent - end.acknowledged,
        fleetPageP95Ms: p95,
      };
    } finally {
      await site.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** Times of the fleet page's API, milliseconds, in rising order. */
async function askForPages({ server }: Site, ms: number): Promise<number[]> {
  const times: number[] = [];
  const until = performance.now() + ms;
  while (performance.now() < until) {
    const asked = performance.now();
    await server.call('GET', '/api/v1/devices?limit=100');
    times.push(performance.now() - asked);
    await new Promise((resolve) => setTimeout(resolve, PAGE_EVERY_MS));
  }
  return times.sort((a, b) => a - b);
}
