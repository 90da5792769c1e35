import { type Random } from '@espalier/dataset';
import { type Budget, KERNELS, type Profile, PROFILE_SCHEMA_VERSION } from '@espalier/protocol';
import type { PlanDevice } from '@espalier/tuning';

const MIB = 2 ** 20;
/** A device drawn at random has no costs beyond those of its layers. */
const LAYERS = KERNELS.filter(({ op }) => op !== 'network');

/** A value whose logarithm is uniform between those of two bounds. */
export function logUniform(random: Random, low: number, high: number): number {
  return low * (high / low) ** random.next();
}

/** Nanoseconds of the fastest device: calling an operator, a multiply-accumulate, a byte moved. */
const FASTEST = { call: 400, mac: 0.02, byte: 0.05 };
const SPEED_RANGE = 32;
const RAM_RANGE = 64;
const LEAST_RAM_MIB = 4;
const INT8_RATIO = [0.5, 3] as const;
/** What a kernel deviates from the rough model that the times are made by. */
const SCATTER = 1.2;

/** Devices whose speed, memory and int8 ratio are drawn apart; each has a kernel table of its own. */
export function makeFleet(count: number, random: Random): PlanDevice[] {
  return Array.from({ length: count }, (_value, at) => ({
    id: `device-${String(at).padStart(6, '0')}`,
    profile: profileOf(
      logUniform(random, 1, SPEED_RANGE),
      logUniform(random, INT8_RATIO[0], INT8_RATIO[1]),
      logUniform(random, LEAST_RAM_MIB, LEAST_RAM_MIB * RAM_RANGE) * MIB,
      random,
    ),
    budget: budgetOf(random),
  }));
}

function budgetOf(random: Random): Budget {
  return { latencyP95Ms: logUniform(random, 0.5, 20), transferBytes: Math.round(2 * MIB) };
}

function profileOf(slowness: number, int8: number, ramBytes: number, random: Random): Profile {
  const kernels = LAYERS.flatMap(({ id, precisions, cin, cout, size, width, kernel, group, op }) =>
    precisions.map((precision) => {
      const weighted = op === 'conv' || op === 'gemm' || op === 'block';
      const macs = weighted ? (cin / group) * cout * kernel ** 2 * size * width : 0;
      const bytes = (cin + cout) * size * width * (precision === 'int8' ? 1 : 4);
      const { call, mac, byte } = FASTEST;
      const one = call + (precision === 'int8' ? macs * mac * int8 : macs * mac) + bytes * byte;
      const medianMs = one * slowness * 1e-6 * logUniform(random, 1 / SCATTER, SCATTER);
      return { id, precision, threads: 1, medianMs, spread: 0.03, runs: 50 };
    }),
  );
  return {
    schemaVersion: PROFILE_SCHEMA_VERSION,
    measuredAt: '2026-01-01T00:00:00.000Z',
    agentVersion: '0.1.0',
    runtime: { name: 'onnxruntime-node', version: '1.30.0', convBlock: 16 },
    cpu: {
      ...{ model: 'drawn at random', arch: 'x64', cores: 1, isa: ['avx512f'] },
      ...{ frequencyMHz: null, temperatureC: null, cacheBytes: 8 * MIB },
    },
    memory: {
      ...{ totalBytes: 1024 * MIB, limitBytes: Math.round(ramBytes + 96 * MIB) },
      ...{ limitedBy: 'configuration', freeBytes: 512 * MIB, runtimeBytes: 96 * MIB },
    },
    storage: { freeBytes: 1024 * MIB, limitBytes: 1024 * MIB, limitedBy: 'machine' },
    emulatedSlowdown: null,
    callOverheadMs: [{ threads: 1, ms: 0.01 * slowness }],
    kernels,
    measuringSeconds: 8,
  };
}
