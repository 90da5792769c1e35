import { createRequire } from 'node:module';
import { PROFILE_SCHEMA_VERSION, type Profile, profileSchema } from '@espalier/protocol';
import { z } from 'zod';
import { readMemory } from './memory.js';
import { runMeasuring } from './process.js';
import type { Measured } from './settings.js';
import { readStorage } from './storage.js';

export { ProfileError, type ProfileErrorCode } from './errors.js';

const agentPackage = z
  .object({ version: z.string() })
  .parse(createRequire(import.meta.url)('../../package.json'));

/** What a device is measured for. */
export interface MeasureOptions {
  /** Where the agent keeps its state; its file system is the one whose space counts. */
  readonly stateDir: string;
  readonly memoryLimitBytes?: number;
  readonly storageLimitBytes?: number;
  /** Multiplies every time, to stand for a slower processor; the profile says so. */
  readonly emulatedSlowdown?: number;
  /** Measure for under 3 seconds instead of under 10: fewer kernels, at one thread. */
  readonly quick?: boolean;
}

const FULL_MS = 8_500;
const QUICK_MS = 2_200;
/** A slow device may need long for the least that must be run; then it is given up. */
const DEADLINE_MS = 60_000;

/**
 * Measures this device in a process of its own: processor, memory, storage, and the time of each
 * kernel of the committed list at one and at all threads.
 * @throws ProfileError PROFILE_TIMEOUT, PROFILE_PROCESS, PROFILE_ANSWER
 */
export async function measureProfile(options: MeasureOptions): Promise<Profile> {
  const storage = await readStorage(options.stateDir, options.storageLimitBytes ?? null);
  const quick = options.quick ?? false;
  const milliseconds = quick ? QUICK_MS : FULL_MS;
  const measured = await runMeasuring(
    { stateDir: options.stateDir, milliseconds, quick },
    DEADLINE_MS,
  );
  const memory = await readMemory(options.memoryLimitBytes ?? null, measured.runtimeBytes);
  return profileSchema.parse({
    schemaVersion: PROFILE_SCHEMA_VERSION,
    measuredAt: new Date().toISOString(),
    agentVersion: agentPackage.version,
    runtime: {
      name: 'onnxruntime-node',
      version: measured.runtimeVersion,
      convBlock: measured.convBlock,
    },
    cpu: measured.cpu,
    memory,
    storage,
    ...slowedDown(measured, options.emulatedSlowdown ?? null),
    disturbed: measured.disturbed,
    probeMs: measured.probeMs,
    measuringSeconds: measured.measuringSeconds,
    measuringPeakBytes: measured.peakRssBytes,
  });
}

/** The measured times multiplied by the slowdown to emulate, and the slowdown itself. */
export function slowedDown(
  { callOverheadMs, kernels }: Pick<Measured, 'callOverheadMs' | 'kernels'>,
  slowdown: number | null,
): Pick<Profile, 'emulatedSlowdown' | 'callOverheadMs' | 'kernels'> {
  const factor = slowdown ?? 1;
  return {
    emulatedSlowdown: slowdown,
    callOverheadMs: callOverheadMs.map(({ threads, ms }) => ({ threads, ms: ms * factor })),
    kernels: kernels.map(({ chainsMs, ...time }) => ({
      ...{ ...time, medianMs: time.medianMs * factor },
      ...(chainsMs && { chainsMs: [chainsMs[0] * factor, chainsMs[1] * factor] }),
    })),
  };
}
