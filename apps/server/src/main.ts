import 'reflect-metadata';
import pino from 'pino';
import { parseConfiguration } from './configuration.js';
import { startServer } from './server.js';

const STOP_TIMEOUT_MS = 15_000;

async function main(): Promise<void> {
  const configuration = parseConfiguration(process.env);
  const logger = pino({ level: configuration.logLevel }, pino.destination(2));
  const server = await startServer(configuration, logger);
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
  process.stderr.write(`${JSON.stringify({ code, message })}\n`);
  process.exit(2);
});
