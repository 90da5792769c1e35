import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { seededRandom } from '@espalier/dataset';
import { z } from 'zod';
import type { Benchmark } from '../benchmark.js';
import { Site } from '../ingest/site.js';

const CONNECTIONS = 20;
const LONGEST_CALM_MS = 4_000;
const DRAIN_SECONDS = 180;

const resultSchema = z.strictObject({
  kills: z.number(),
  sent: z.number(),
  acknowledged: z.number(),
  lost: z.number(),
  twice: z.number(),
});
export type KillsResult = z.infer<typeof resultSchema>;

/** What to do to a site, and how often. */
export interface KillOptions {
  readonly kills: number;
  readonly devices: number;
  readonly rate: number;
  readonly seed: number;
  note(line: string): void;
}

export const benchmark: Benchmark<KillsResult> = {
  about: 'telemetry while server and broker are killed at random moments',
  options: {
    kills: { type: 'string', default: '20' },
    devices: { type: 'string', default: '2000' },
    rate: { type: 'string', default: '500' },
    seed: { type: 'string', default: '1' },
  },
  document: resultSchema,
  run: ({ values, note }) =>
    killAtRandom({
      kills: Number(values['kills']),
      devices: Number(values['devices']),
      rate: Number(values['rate']),
      seed: Number(values['seed']),
      note,
    }),
};

/** Kills server and broker under load, then looks for what was acknowledged. */
export async function killAtRandom(options: KillOptions): Promise<KillsResult> {
  const { kills, devices, rate, seed, note } = options;
  const random = seededRandom(seed);
  const folder = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
  const site = new Site(folder, devices);
  try {
    await site.start();
    const load = await site.load(rate, CONNECTIONS);
    try {
      await load.sending();
      for (let kill = 0; kill < kills; kill += 1) {
        await pause(random.next() * LONGEST_CALM_MS);
        // The first two are one of each.
        const which = (kill < 2 ? kill === 0 : random.next() < 0.5) ? 'server' : 'broker';
        await site.strike(which);
        note(`kill ${kill + 1}: ${which}`);
      }
      const { end, acknowledged } = await load.end(DRAIN_SECONDS);
      await site.server.stop();
      const { lost, twice } = site.audit(acknowledged);
      return { kills, sent: end.sent, acknowledged: end.acknowledged, lost, twice };
    } finally {
      await load.stop();
    }
  } finally {
    await site.stop();
    await rm(folder, { recursive: true, force: true });
  }
}
