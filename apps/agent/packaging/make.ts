import { execFileSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { packageContents, type Platform } from './contents.js';

/**
 * Makes `espalier-agent-VERSION-PLATFORM-ARCH`, a folder and a tar.gz of it; the same sources make the
 * same bytes. Needs GNU tar.
 * @param root folder of the whole project, built
 * @param out folder that both go into
 */
export function makePackage(
  root: string,
  out: string,
  platform: Platform,
): { readonly folder: string; readonly archive: string; readonly bytes: number } {
  const { version } = z
    .object({ version: z.string() })
    .parse(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')));
  const name = `espalier-agent-${version}-${platform.platform}-${platform.arch}`;
  const folder = join(out, name);
  const files = packageContents(root, platform);
  rmSync(folder, { recursive: true, force: true });
  for (const { from, to } of files) {
    const target = join(folder, to);
    mkdirSync(dirname(target), { recursive: true });
    copyFileSync(join(root, from), target);
    chmodSync(target, to.startsWith('bin/') ? 0o755 : 0o644);
  }
  const archive = `${folder}.tar.gz`;
  execFileSync('tar', [
    ...['--sort=name', '--mtime=@0', '--owner=0', '--group=0', '--numeric-owner'],
    ...['-C', out, '-czf', archive, name],
  ]);
  return { folder, archive, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
}
