import { TrustError } from '@espalier/trust';
import pino from 'pino';
import { startAgent } from './agent.js';
import { AgentError } from './errors.js';
import { collectGarbage } from './lean.js';
import { parseOptions } from './options.js';

const STOP_TIMEOUT_MS = 5_000;

const options = parseOptions(process.argv);
const log = pino({ level: options.logLevel, base: { agent: options.name } }, pino.destination(2));

try {
  const agent = await startAgent(options, log);
  collectGarbage();
  const stop = (signal: string): void => {
    log.info({ signal }, 'stopping');
    // A broker that ends at the same moment answers no goodbye; all that matters is on the disk.
    setTimeout(() => process.exit(0), STOP_TIMEOUT_MS).unref();
    void agent.stop().then(() => process.exit(0));
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
} catch (error) {
  if (!(error instanceof AgentError || error instanceof TrustError)) throw error;
  log.fatal({ code: error.code }, error.message);
  process.exit(2);
}
