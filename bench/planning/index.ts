import { readFile } from 'node:fs/promises';
import { seededRandom } from '@espalier/dataset';
import { readModel } from '@espalier/onnx';
import { planFleet } from '@espalier/tuning';
import { z } from 'zod';
import type { Benchmark } from '../benchmark.js';
import { makeCandidates } from './candidates.js';
import { makeFleet } from './fleet.js';

const document = z.strictObject({
  devices: z.number().int(),
  candidates: z.number().int(),
  seconds: z.number(),
  variants: z.number().int(),
  meanLossPoints: z.number(),
});

const DEVICES = 10_000;
const CANDIDATES = 40;
const MODEL = new URL('../../examples/fashion-mobilenetv2.onnx', import.meta.url);

/** A large mixed fleet planned at once: how long, with how few variants, and at what loss. */
export const benchmark: Benchmark<z.infer<typeof document>> = {
  about: 'planning 10,000 devices drawn at random over 40 candidates',
  options: { seed: { type: 'string' } },
  document,
  async run({ values, note }) {
    const random = seededRandom(Number(values['seed'] ?? 1));
    const candidates = makeCandidates(readModel(await readFile(MODEL)), CANDIDATES, random);
    const devices = makeFleet(DEVICES, random);
    const start = performance.now();
    const plan = planFleet(devices, candidates);
    const seconds = (performance.now() - start) / 1000;
    const bests = new Set(plan.assignments.map(({ ownBestId }) => ownBestId));
    note(
      `${plan.misfits.length} misfits; without a bound ${bests.size} candidates would be some device's best`,
    );
    return {
      ...{ devices: devices.length, candidates: candidates.length, seconds },
      ...{ variants: plan.variants.length, meanLossPoints: plan.meanLoss },
    };
  },
};
