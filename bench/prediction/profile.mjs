/** Measures this machine as the agent does, in the agent's own process, and prints the profile. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { measureProfile } from '../../apps/agent/dist/profile/index.js';

try {
  writeFileSync('/proc/self/autogroup', '-20');
} catch {
  // Only root may go before others; then others must be quiet.
}
const stateDir = mkdtempSync(join(tmpdir(), 'espalier-profile-'));
try {
  const start = performance.now();
  const profile = await measureProfile({ stateDir });
  const seconds = (performance.now() - start) / 1000;
  process.stdout.write(JSON.stringify({ profile, seconds }));
} finally {
  rmSync(stateDir, { recursive: true, force: true });
}
