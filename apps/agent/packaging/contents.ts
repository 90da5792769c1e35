import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';

/** A platform that a package is for, in the words of Node. */
export interface Platform {
  readonly platform: string;
  readonly arch: string;
}

const lockSchema = z.object({
  packages: z.record(
    z.string(),
    z
      .object({
        dependencies: z.record(z.string(), z.string()).optional(),
        resolved: z.string().optional(),
        link: z.boolean().optional(),
      })
      .loose(),
  ),
});
type Packages = z.infer<typeof lockSchema>['packages'];

/** Libraries of ours that the agent may import, as `MAY_IMPORT` in eslint.config.mjs says. */
const LIBS = ['protocol', 'link', 'delivery', 'trust', 'evidence', 'dataset', 'onnx', 'artifact'];

/** What nothing at run time reads. */
const LEFT_OUT =
  /\.(map|ts|mts|cts|md|markdown|flow|tsbuildinfo)$|\/(test|tests|docs|example|examples)\//;

/** A file of the package: where it is, and where it goes. */
export interface PackagedFile {
  readonly from: string;
  readonly to: string;
  readonly bytes: number;
}

/**
 * The agent, the libraries and packages that it depends on, and the runtime's files for one platform.
 * @param root folder of the whole project, built
 */
export function packageContents(root: string, { platform, arch }: Platform): PackagedFile[] {
  const { packages } = lockSchema.parse(
    JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')),
  );
  const isOther = (path: string): boolean => {
    const [, itsPlatform, itsArch] = /napi-v\d+\/([^/]+)\/([^/]+)\//.exec(path) ?? [];
    return itsPlatform !== undefined && (itsPlatform !== platform || itsArch !== arch);
  };
  const filesOf = (folder: string, to: string): PackagedFile[] =>
    filesBelow(join(root, folder))
      .filter((path) => !LEFT_OUT.test(path) && !isOther(`${folder}/${path}`))
      .map((path) => file(root, `${folder}/${path}`, `${to}/${path}`));
  const ours = ['apps/agent', ...LIBS.map((lib) => `libs/${lib}`)];
  return [
    file(root, 'LICENSE', 'LICENSE'),
    file(root, 'apps/agent/package.json', 'package.json'),
    file(root, 'apps/agent/bin/espalier-agent', 'bin/espalier-agent'),
    file(root, 'docker/espalier-agent.service', 'espalier-agent.service'),
    ...filesOf('apps/agent/dist', 'dist'),
    ...LIBS.flatMap((lib) => [
      file(root, `libs/${lib}/package.json`, `node_modules/@espalier/${lib}/package.json`),
      ...filesOf(`libs/${lib}/dist`, `node_modules/@espalier/${lib}/dist`),
    ]),
    ...dependenciesOf(ours, packages).flatMap((folder) => filesOf(folder, placeOf(folder))),
  ];
}

/** Folders of all packages that projects depend on, and of those that these depend on. */
function dependenciesOf(projects: readonly string[], packages: Packages): string[] {
  const folders = new Set(projects);
  for (const folder of folders) {
    for (const name of Object.keys(packages[folder]?.dependencies ?? {})) {
      const found = placeFrom(folder, name, packages);
      if (found !== null) folders.add(found);
    }
  }
  return [...folders].filter((folder) => folder.includes('node_modules/'));
}

/** Where Node finds a package that another one depends on. */
function placeFrom(folder: string, name: string, packages: Packages): string | null {
  for (let at = folder; ; at = at.slice(0, Math.max(0, at.lastIndexOf('/node_modules/')))) {
    const candidate = at === '' ? `node_modules/${name}` : `${at}/node_modules/${name}`;
    const found = packages[candidate];
    if (found) return found.link ? null : candidate;
    if (at === '') return null;
    if (!at.includes('/node_modules/')) at = '/node_modules/';
  }
}

/** What a project keeps for itself stays beside it; the agent itself is the root of its package. */
const placeOf = (folder: string): string =>
  folder.replace(/^apps\/agent\//, '').replace(/^libs\/([^/]+)\//, 'node_modules/@espalier/$1/');

const file = (root: string, from: string, to: string): PackagedFile => ({
  ...{ from, to },
  bytes: statSync(join(root, from)).size,
});

function filesBelow(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesBelow(folder, path);
    return entry.isFile() ? [path] : [];
  });
}
