import { bytes } from '../output/figures.js';
import { bad, good, reasonOf, type Finding } from './finding.js';
import type { Surroundings } from './surroundings.js';

const MIB = 2 ** 20;
const NODE = { major: 20, minor: 19 };

/** What each part needs at least: measured, with room for one small model. */
export const LEAST_MEMORY = { agent: 160 * MIB, server: 512 * MIB } as const;
export const LEAST_DISK = { agent: 100 * MIB, server: 1024 * MIB } as const;
export type Role = keyof typeof LEAST_MEMORY;

/** Whether Node is new enough. */
export function checkNode({ nodeVersion }: Surroundings): Finding {
  const [major = 0, minor = 0] = nodeVersion.split('.').map(Number);
  return major > NODE.major || (major === NODE.major && minor >= NODE.minor)
    ? good('node', `Node ${nodeVersion}`)
    : bad(
        'node',
        `Node ${nodeVersion}, which is too old`,
        `Install Node ${NODE.major}.${NODE.minor} or later.`,
      );
}

/** Whether ONNX Runtime loads and computes on this machine. */
export async function checkRuntime(surroundings: Surroundings): Promise<Finding> {
  try {
    await surroundings.runRuntime();
    return good('runtime', 'ONNX Runtime loads and computes');
  } catch (error) {
    return bad(
      'runtime',
      `ONNX Runtime does not run (${reasonOf(error).split('\n', 1)[0] ?? ''})`,
      'It needs a 64-bit Linux with glibc 2.28 or later on x86-64 or arm64. Run npm ci again; if that changes nothing, this machine cannot run models.',
    );
  }
}

/** Whether this process may have the memory that its part needs. */
export function checkMemory(surroundings: Surroundings, role: Role): Finding {
  const limit = surroundings.memoryBytes();
  const least = LEAST_MEMORY[role];
  return limit >= least
    ? good('memory', `${bytes(limit)} for this process`)
    : bad(
        'memory',
        `only ${bytes(limit)} for this process`,
        `The ${role} needs ${bytes(least)}: raise the memory limit of its control group (systemd MemoryMax=, docker --memory), or take a larger machine.`,
      );
}

/** A folder that a part keeps things in: there, its own, and with room. */
export async function checkFolder(
  surroundings: Surroundings,
  role: Role,
  path: string,
): Promise<Finding[]> {
  const check = role === 'agent' ? 'state-dir' : 'data-dir';
  const facts = await surroundings.folder(path);
  const findings = [folderFinding(check, role, path, facts)];
  const free = await surroundings.freeBytes(path);
  const least = LEAST_DISK[role];
  findings.push(
    free >= least
      ? good('disk', `${bytes(free)} free for ${path}`)
      : bad(
          'disk',
          `only ${bytes(free)} free for ${path}`,
          `The ${role} needs ${bytes(least)} there: make room, or give it a folder on another disk.`,
        ),
  );
  return findings;
}

function folderFinding(
  check: string,
  role: Role,
  path: string,
  facts: Awaited<ReturnType<Surroundings['folder']>>,
): Finding {
  if (facts === null) return good(check, `${path} is not there yet; the ${role} makes it`);
  if (!facts.isFolder) return bad(check, `${path} is not a folder`, 'Name another path.');
  if (!facts.writable) {
    return bad(
      check,
      `${path} cannot be written`,
      `Give it to the user that runs the ${role}: chown -R USER ${path}`,
    );
  }
  if (facts.mode & 0o002) {
    return bad(check, `everybody may write into ${path}`, `chmod o-w ${path}`);
  }
  return good(check, `${path} can be written`);
}
