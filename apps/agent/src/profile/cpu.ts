import { readdir, readFile } from 'node:fs/promises';
import os from 'node:os';
import type { Profile } from '@espalier/protocol';
import { readFrequencyMHz, readTemperatureC } from './thermal.js';

/** Instruction sets that change which kernels the runtime takes, as Linux names them. */
const RELEVANT = new Set([
  ...['sse4_1', 'sse4_2', 'avx', 'avx2', 'fma', 'f16c', 'avx_vnni', 'avx_vnni_int8'],
  ...['avx512f', 'avx512bw', 'avx512dq', 'avx512vl', 'avx512_vnni', 'avx512_bf16', 'avx512_fp16'],
  ...['amx_tile', 'amx_int8', 'amx_bf16'],
  ...['neon', 'vfpv4', 'asimd', 'asimdhp', 'asimddp', 'i8mm', 'bf16', 'sve', 'sve2', 'svei8mm'],
  ...['sme', 'sme2'],
]);

/** What `/proc/cpuinfo` says of a processor. */
export interface CpuInfo {
  readonly model: string | null;
  readonly isa: string[];
  readonly frequencyMHz: number | null;
}

/** Parses `/proc/cpuinfo` of x86 (`flags`, `model name`) and of ARM (`Features`, part numbers). */
export function parseCpuInfo(text: string): CpuInfo {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const key = line.slice(0, colon).trim();
    if (!fields.has(key)) fields.set(key, line.slice(colon + 1).trim());
  }
  const flags = (fields.get('flags') ?? fields.get('Features') ?? '').split(/\s+/);
  const part = fields.get('CPU part');
  const arm = part ? `ARM implementer ${fields.get('CPU implementer') ?? '?'} part ${part}` : null;
  const megahertz = Number(fields.get('cpu MHz'));
  return {
    model: fields.get('model name') ?? fields.get('Model') ?? fields.get('Hardware') ?? arm,
    isa: flags.filter((flag) => RELEVANT.has(flag)).sort(),
    frequencyMHz: megahertz > 0 ? megahertz : null,
  };
}

/**
 * Processors that a control group allows, from `cpu.max` (v2: `quota period`) or the pair of v1.
 * Null: no limit.
 */
export function parseCpuQuota(quota: string | null, period: string | null): number | null {
  const [first = '', second = period ?? ''] = (quota ?? '').trim().split(/\s+/);
  const allowed = Number(first) / Number(second.trim());
  return Number.isFinite(allowed) && allowed > 0 ? allowed : null;
}

/** The processor of this machine; `cores` is what this process may use. */
export async function readCpu(): Promise<Profile['cpu']> {
  const info = parseCpuInfo(await readFile('/proc/cpuinfo', 'utf8').catch(() => ''));
  const quota =
    parseCpuQuota(await readText('/sys/fs/cgroup/cpu.max'), null) ??
    parseCpuQuota(
      await readText('/sys/fs/cgroup/cpu/cpu.cfs_quota_us'),
      await readText('/sys/fs/cgroup/cpu/cpu.cfs_period_us'),
    );
  const available = os.availableParallelism();
  return {
    model: (info.model ?? os.cpus()[0]?.model ?? 'unknown').slice(0, 256),
    arch: os.arch(),
    cores: Math.max(1, Math.min(available, Math.ceil(quota ?? available))),
    isa: info.isa,
    frequencyMHz: (await readFrequencyMHz()) ?? info.frequencyMHz,
    temperatureC: await readTemperatureC(),
    ...(await readCaches()),
  };
}

/** A cache's size as sysfs writes it, such as `32768K`; null where it is none. */
export function parseCacheSize(text: string): number | null {
  const match = /^(\d+)([KMG]?)$/.exec(text.trim());
  if (!match) return null;
  const [, count, unit = ''] = match;
  return Number(count) * 1024 ** ['', 'K', 'M', 'G'].indexOf(unit);
}

/** Sizes of the last cache before memory and of the next below; null where the kernel does not say. */
async function readCaches(
  root = '/sys/devices/system/cpu/cpu0/cache',
): Promise<Pick<Profile['cpu'], 'cacheBytes' | 'nearCacheBytes'>> {
  const entries = await readdir(root).catch(() => []);
  const sizes = await Promise.all(
    entries
      .filter((entry) => entry.startsWith('index'))
      .map((entry) => readText(`${root}/${entry}/size`)),
  );
  const known = sizes.flatMap((size) => (size === null ? [] : (parseCacheSize(size) ?? [])));
  const [cacheBytes = null, nearCacheBytes = null] = [...new Set(known)].sort((a, b) => b - a);
  return { cacheBytes, nearCacheBytes };
}

function readText(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}
