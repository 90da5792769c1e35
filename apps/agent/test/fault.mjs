/**
 * Loaded before the agent (`node --import`), to end it or to fill its disk at an exact write, or to
 * set its clock. It patches the calls that the agent writes with; what the agent does is left alone.
 *
 * ESPALIER_FAULT is JSON: `log`, a file that gets a line "CALL FILE" for each write below `stateDir`;
 * `kind`, `kill` to end the process by SIGKILL after the write or `full` to let it and all later ones
 * fail as on a full disk; `line` and `occurrence`, which write that is; `clockSkewMs`.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';

const { log, stateDir, kind, line, occurrence, clockSkewMs } = JSON.parse(
  process.env.ESPALIER_FAULT,
);
const { appendFileSync, openSync } = fs;
const paths = new Map();
let seen = 0;
let struck = false;

/** All messages count as one file, and so do the two slots. */
const nameOf = (path) =>
  path
    .slice(stateDir.length + 1)
    .replace(/^outbox\/.*/, 'outbox/message')
    .replace(/^slots\/[ab]/, 'slots/slot');

/** Notes a write; whether it is the one that is struck. */
function strikes(call, path) {
  const written = `${call} ${nameOf(path)}`;
  appendFileSync(log, `${written}\n`);
  if (written === line) seen += 1;
  const isIt = written === line && seen === occurrence;
  struck ||= isIt;
  return isIt;
}

function refuse(call, path) {
  const message = `ENOSPC: no space left on device, ${call} '${path}'`;
  throw Object.assign(new Error(message), { code: 'ENOSPC' });
}

function around(call, path, write) {
  if (typeof path !== 'string' || !path.startsWith(stateDir)) return write();
  const isIt = strikes(call, path);
  // A rename takes no room.
  if (kind === 'full' && struck && call !== 'renameSync') refuse(call, path);
  const result = write();
  const end = () => {
    if (kind === 'kill' && isIt) process.kill(process.pid, 'SIGKILL');
  };
  if (result instanceof Promise) return result.then(end);
  end();
  return result;
}

fs.openSync = (path, ...rest) => {
  const file = openSync(path, ...rest);
  paths.set(file, String(path));
  return file;
};
for (const [call, pathOf] of [
  ['writeSync', (file) => paths.get(file)],
  ['ftruncateSync', (file) => paths.get(file)],
  ['renameSync', (from) => String(from)],
]) {
  const original = fs[call];
  fs[call] = (...args) => around(call, pathOf(args[0]), () => original(...args));
}
const { open } = fs.promises;
fs.promises.open = async (path, ...rest) => {
  const file = await open(path, ...rest);
  const write = file.writeFile.bind(file);
  file.writeFile = async (...args) => around('writeFile', String(path), () => write(...args));
  return file;
};
syncBuiltinESMExports();

if (clockSkewMs) {
  const RealDate = Date;
  globalThis.Date = class extends RealDate {
    constructor(...args) {
      if (args.length === 0) super(RealDate.now() + clockSkewMs);
      else super(...args);
    }
    static now() {
      return RealDate.now() + clockSkewMs;
    }
  };
}
