import 'reflect-metadata';
import pino from 'pino';
import { parseConfiguration } from './configuration.js';
import { REDACTION, withoutSecrets } from './http/secrets.js';
import { startServer } from './server.js';

const STOP_TIMEOUT_MS = 15_000;
const LEASE_LOST_EXIT = 3;
const LOG_BUFFER_BYTES = 4 * 2 ** 20;

async function main(): Promise<void> {
  const configuration = parseConfiguration(process.env);
  // A log that nobody reads may lose lines; it may not hold the server up.
  const log = pino.destination({ dest: 2, sync: false, maxLength: LOG_BUFFER_BYTES });
  const logger = pino({ level: configuration.logLevel, ...REDACTION }, log);
  // Another server is active: whatever this one still does would be a former server's.
  const server = await startServer(configuration, logger, (why) => {
    process.stderr.write(`${JSON.stringify({ code: 'LEASE_LOST', message: why })}\n`);
    process.exit(LEASE_LOST_EXIT);
  });
  let stopping = false;
  const stop = (why: string): void => {
    if (stopping) return;
    stopping = true;
    logger.info({ why }, 'stopping');
    setTimeout(() => process.exit(1), STOP_TIMEOUT_MS).unref();
    server.close().then(
      () => process.exit(0),
      (cause: unknown) => {
        logger.error(cause);
        process.exit(1);
      },
    );
  };
  process.on('SIGTERM', () => stop('SIGTERM'));
  process.on('SIGINT', () => stop('SIGINT'));
  process.on('unhandledRejection', (cause) => logger.error(cause, 'unhandled rejection'));
  process.stdout.write(
    `${JSON.stringify({ event: 'listening', url: server.url, pid: process.pid })}\n`,
  );
}

main().catch((cause: unknown) => {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'SERVER_START';
  const message = cause instanceof Error ? cause.message : String(cause);
  process.stderr.write(`${withoutSecrets(JSON.stringify({ code, message }))}\n`);
  process.exit(2);
});
