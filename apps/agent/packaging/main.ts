import { fileURLToPath } from 'node:url';
import { makePackage } from './make.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const made = makePackage(root, `${root}dist`, { platform: 'linux', arch: process.arch });
process.stdout.write(`${made.archive}: ${(made.bytes / 2 ** 20).toFixed(1)} MiB unpacked\n`);
