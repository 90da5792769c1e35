import { KERNELS, PROFILE_SCHEMA_VERSION, type Profile } from '@espalier/protocol';

const MEBIBYTE = 2 ** 20;

/** A made-up profile, which says that it is one. */
export function simulatedProfile(memoryMiB: number, at: Date): Profile {
  const bytes = memoryMiB * MEBIBYTE;
  return {
    schemaVersion: PROFILE_SCHEMA_VERSION,
    measuredAt: at.toISOString(),
    agentVersion: 'simulated',
    runtime: { name: 'simulated', version: '0' },
    cpu: {
      model: 'simulated',
      arch: 'simulated',
      cores: 2,
      isa: [],
      frequencyMHz: null,
      temperatureC: null,
    },
    memory: {
      totalBytes: bytes,
      limitBytes: bytes,
      limitedBy: 'configuration',
      freeBytes: bytes,
      runtimeBytes: 64 * MEBIBYTE,
    },
    storage: { freeBytes: 2 ** 30, limitBytes: 2 ** 30, limitedBy: 'configuration' },
    emulatedSlowdown: null,
    callOverheadMs: [{ threads: 1, ms: 0.02 }],
    kernels: KERNELS.flatMap(({ id }) =>
      (['fp32', 'int8'] as const).map((precision) => ({
        id,
        precision,
        threads: 1,
        medianMs: precision === 'int8' ? 0.05 : 0.1,
        spread: 0.05,
        runs: 20,
      })),
    ),
    measuringSeconds: 0,
  };
}
