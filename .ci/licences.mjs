/**
 * Fails on a licence outside the permitted list anywhere in the production tree (package-lock.json, so
 * that what other platforms install counts too), and on a direct runtime dependency that
 * docs/dependencies.md does not describe as it is.
 */
import { readFileSync } from 'node:fs';
import satisfies from 'spdx-satisfies';

const PERMITTED = [
  ...['MIT', 'ISC', 'Apache-2.0', 'BSD-2-Clause', 'BSD-3-Clause', '0BSD'],
  ...['BlueOak-1.0.0', 'Python-2.0', 'CC0-1.0', 'Unlicense', 'Zlib'],
];
const DOCUMENT = 'docs/dependencies.md';
const read = (path) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

const { packages } = JSON.parse(read('package-lock.json'));
const faults = [];

let walked = 0;
for (const [path, { link, dev, license }] of Object.entries(packages)) {
  if (!path.includes('node_modules/') || link || dev) continue;
  walked += 1;
  if (!isPermitted(license)) {
    faults.push(`${path} has the licence ${license ?? 'of no name'}, which is not permitted.`);
  }
}

/** Each direct runtime dependency, and its licence. */
const direct = new Map();
for (const [path, { dependencies }] of Object.entries(packages)) {
  if (!/^(apps|libs)\/[^/]+$/.test(path)) continue;
  for (const name of Object.keys(dependencies ?? {})) {
    const found = packages[`${path}/node_modules/${name}`] ?? packages[`node_modules/${name}`];
    if (!found?.link) direct.set(name, found?.license);
  }
}
const rows = described(read(DOCUMENT));
for (const [name, license] of direct) {
  const row = rows.get(name);
  if (!row) faults.push(`${name} is a direct runtime dependency: describe it in ${DOCUMENT}.`);
  else if (row.some((cell) => cell === '')) faults.push(`${DOCUMENT}: ${name} has an empty cell.`);
  else if (row[0] !== license) {
    faults.push(`${DOCUMENT}: the licence of ${name} is ${license}, not ${row[0]}.`);
  }
}
for (const name of rows.keys()) {
  if (!direct.has(name)) faults.push(`${DOCUMENT}: ${name} is no direct runtime dependency.`);
}

if (faults.length > 0) {
  process.stderr.write(`${faults.join('\n')}\n`);
  process.exitCode = 1;
} else {
  process.stdout.write(`${walked} packages, ${direct.size} of them direct: licences permitted.\n`);
}

function isPermitted(license) {
  try {
    return satisfies(license, PERMITTED);
  } catch {
    return false;
  }
}

/** The rows of the document's tables that begin with a package's name in backquotes. */
function described(markdown) {
  const found = new Map();
  for (const line of markdown.split('\n')) {
    const [, name, rest] = /^\| `([^`]+)`\s*\|(.*)\|\s*$/.exec(line) ?? [];
    if (name)
      found.set(
        name,
        rest.split('|').map((cell) => cell.trim()),
      );
  }
  return found;
}
