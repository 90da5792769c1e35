import { fstatSync } from 'node:fs';
import pino from 'pino';
import { startBroker } from './broker.js';
import { ConfigurationError, readConfiguration, type Configuration } from './configuration.js';

/** Calls back when the process that started this one is gone; nothing happens without a parent. */
function whenParentIsGone(callback: () => void): void {
  if (process.connected) {
    process.once('disconnect', callback);
    return;
  }
  const stdin = fstatSync(0);
  if (!stdin.isFIFO() && !stdin.isSocket()) return;
  process.stdin.once('close', callback).resume();
}

async function main(configuration: Configuration): Promise<void> {
  const log = pino({ level: configuration.logLevel }, pino.destination(2));
  const broker = await startBroker(configuration, log);
  let closing = false;
  const close = (why: string): void => {
    if (closing) return;
    closing = true;
    log.info({ why }, 'closing');
    void broker.close().then(() => process.exit(0));
  };
  process.once('SIGTERM', () => close('SIGTERM'));
  process.once('SIGINT', () => close('SIGINT'));
  whenParentIsGone(() => close('parent gone'));
  process.stdout.write(
    `${JSON.stringify({ event: 'listening', host: broker.host, port: broker.port, pid: process.pid })}\n`,
  );
}

try {
  await main(readConfiguration(process.env));
} catch (error) {
  const code = error instanceof ConfigurationError ? error.code : 'BROKER_START';
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`${JSON.stringify({ code, message })}\n`);
  process.exit(2);
}
