import { resolve } from 'node:path';
import type { Command } from 'commander';
import { makeMosquittoFolder } from '../broker/mosquitto-folder.js';
import { whole } from '../option-values.js';
import type { Context } from './context.js';

interface MosquittoOptions {
  out: string;
  dataDir: string;
  host: string[];
  port: number;
  address?: string;
  json?: boolean;
}

/** What a broker other than our own needs to let devices in. */
export function addBroker(program: Command, { terminal }: Context): void {
  program
    .command('broker')
    .description('the MQTT broker, where it is not the server’s own')
    .command('mosquitto-config')
    .description('certificates, access rules and configuration for Mosquitto, made on the server')
    .requiredOption('--out <dir>', 'folder for Mosquitto’s files')
    .requiredOption(
      '--host <name>',
      'name or address under which devices reach it; may be repeated',
      (host: string, before: string[] = []) => [...before, host],
    )
    .option('--data-dir <dir>', 'the server’s DATA_DIR, which holds its authority', '.espalier')
    .option('--port <port>', 'port that Mosquitto listens on', whole(1), 8883)
    .option('--address <address>', 'address that it binds; every one unless given')
    .option('--json', 'print one JSON document')
    .action(async ({ json, ...options }: MosquittoOptions) => {
      const { host: hosts, address } = options;
      const made = await makeMosquittoFolder({
        folder: resolve(options.out),
        dataDir: resolve(options.dataDir),
        hosts,
        port: options.port,
        ...(address === undefined ? {} : { address }),
      });
      if (json) return terminal.json(made);
      terminal.print(
        [
          `${made.folder} is ready. Start Mosquitto with it, and the server with where it is:`,
          `mosquitto -c ${made.configuration}`,
          `BROKER_URL=${made.brokerUrl} MOSQUITTO_DIR=${made.folder}`,
        ].join('\n'),
      );
    });
}
