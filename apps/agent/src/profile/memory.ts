import { readFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { Profile } from '@espalier/protocol';

/** `MemTotal` and `MemAvailable` of `/proc/meminfo` in bytes. */
export function parseMeminfo(text: string): { total: number | null; available: number | null } {
  const kibibytes = (key: string) => {
    const match = new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(text);
    return match ? Number(match[1]) * 1024 : null;
  };
  return { total: kibibytes('MemTotal'), available: kibibytes('MemAvailable') };
}

/** A control group's memory limit in bytes; null: `max`, or the absurdly large number of v1. */
export function parseCgroupLimit(text: string): number | null {
  const bytes = Number(text.trim());
  return text.trim() !== '' && Number.isFinite(bytes) && bytes > 0 && bytes < 2 ** 60
    ? bytes
    : null;
}

/**
 * Files that may limit this process, from `/proc/self/cgroup`: its own group and every group above,
 * under version 2 (`0::/path`) and version 1 (`n:memory:/path`).
 */
export function cgroupLimitFiles(text: string): string[] {
  const files: string[] = [];
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (!match) continue;
    const [, controllers = '', group = '/'] = match;
    const v2 = controllers === '';
    if (!v2 && !controllers.split(',').includes('memory')) continue;
    const root = v2 ? '/sys/fs/cgroup' : '/sys/fs/cgroup/memory';
    const name = v2 ? 'memory.max' : 'memory.limit_in_bytes';
    for (let at = group; ; at = path.posix.dirname(at)) {
      files.push(path.posix.join(root, at, name));
      if (at === '/') break;
    }
  }
  return files;
}

/** This machine's memory, and what of it the agent may use. */
export async function readMemory(
  configuredLimit: number | null,
  runtimeBytes: number,
): Promise<Profile['memory']> {
  const meminfo = parseMeminfo(await readFile('/proc/meminfo', 'utf8').catch(() => ''));
  const files = cgroupLimitFiles(await readFile('/proc/self/cgroup', 'utf8').catch(() => ''));
  const limits = await Promise.all(
    files.map((file) => readFile(file, 'utf8').then(parseCgroupLimit, () => null)),
  );
  const total = meminfo.total ?? os.totalmem();
  const cgroup = Math.min(total, ...limits.filter((limit) => limit !== null));
  const limit = Math.min(cgroup, configuredLimit ?? Infinity);
  return {
    totalBytes: total,
    limitBytes: Math.floor(limit),
    limitedBy: limit < cgroup ? 'configuration' : cgroup < total ? 'cgroup' : 'machine',
    freeBytes: meminfo.available ?? os.freemem(),
    runtimeBytes,
  };
}
