/** Settings that keep the process small; they must hold before anything large is loaded. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

// The young generation stays at its first size: an agent that idles needs no room for garbage.
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--expose-gc');
// The runtime's Linux builds upload usage data unless this is set before they are loaded.
process.env['ORT_DISABLE_TELEMETRY'] = '1';

const collect = runInNewContext('gc') as () => void;

/** Gives back what a start or an install has left over; takes some tens of milliseconds. */
export function collectGarbage(): void {
  collect();
}
