#!/usr/bin/env node
import { isSettled } from '@espalier/protocol';
import { TrustError } from '@espalier/trust';
import { EnrolmentError } from './enrolment.js';
import { parseOptions } from './options.js';
import { Simulation } from './simulation.js';

const CONNECTED_CHECK_MS = 100;

/** One JSON document a line; each says that what it tells of is simulated. */
function say(line: object): void {
  process.stdout.write(`${JSON.stringify({ simulated: true, ...line })}\n`);
}

const options = parseOptions(process.argv);
const simulation = new Simulation(options, (told) => {
  if (isSettled(told.state)) say({ event: 'settled', ...told });
});

async function stop(): Promise<void> {
  await simulation.stop();
  process.exit(0);
}
process.once('SIGTERM', () => void stop());
process.once('SIGINT', () => void stop());

try {
  await simulation.start();
  say({ event: 'enrolled', devices: options.devices });
  let connected = -1;
  setInterval(() => {
    if (simulation.connected === connected) return;
    connected = simulation.connected;
    say({ event: 'connected', devices: connected });
  }, CONNECTED_CHECK_MS);
} catch (error) {
  if (!(error instanceof EnrolmentError || error instanceof TrustError)) throw error;
  process.stderr.write(`${error.code}: ${error.message}\n`);
  process.exit(2);
}
