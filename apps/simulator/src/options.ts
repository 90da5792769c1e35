import { LABEL_FORM, withLabel } from '@espalier/protocol';
import { Command, InvalidArgumentError, Option } from 'commander';
import { FAULT_HELP, FAULTS, type Fault } from './faults.js';
import type { SimulationOptions } from './simulation.js';

const MOST_DEVICES = 50_000;

interface Given {
  server: string;
  token: string;
  devices: number;
  name: string;
  label: Record<string, string>;
  memoryMib: number;
  fault: Map<Fault, number>;
  awayMs: number;
}

/** The command line of the simulator. */
export function simulatorCommand(): Command {
  return new Command('espalier-simulator')
    .description('Many simulated devices in one process. They load no model and measure nothing.')
    .requiredOption('--server <url>', 'address of the server, as http://host:port', url)
    .addOption(
      new Option('--token <token>', 'API token of an operator, who makes the claim tokens')
        .env('ESPALIER_TOKEN')
        .makeOptionMandatory(),
    )
    .option('--devices <count>', 'how many', count, 100)
    .option('--name <name>', 'what their names begin with', 'simulated')
    .option('--label <key=value>', 'label for selectors; may be repeated', label, {
      simulated: 'true',
    })
    .option('--memory-mib <mib>', 'memory that each says it has', count, 512)
    .option(
      '--fault <kind=count>',
      `how many devices have a fault; may be repeated. ${FAULTS.map((kind) => `${kind}: ${FAULT_HELP[kind]}`).join('; ')}`,
      fault,
      new Map<Fault, number>(),
    )
    .option('--away-ms <ms>', 'how long a cut or restarted device stays away', count, 2000)
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
}

/** Reads the command line; prints help or what is wrong, and exits with 2 if something is. */
export function parseOptions(argv: readonly string[]): SimulationOptions {
  const given = simulatorCommand().parse(argv).opts<Given>();
  return {
    site: { url: given.server, apiToken: given.token },
    devices: given.devices,
    name: given.name,
    labels: given.label,
    memoryMiB: given.memoryMib,
    faults: given.fault,
    awayMs: given.awayMs,
  };
}

function url(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new InvalidArgumentError('It must be an http or https address.');
  }
  return text;
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > MOST_DEVICES) {
    throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST_DEVICES}.`);
  }
  return value;
}

function fault(text: string, before: ReadonlyMap<Fault, number>): Map<Fault, number> {
  const [name = '', number = ''] = text.split('=');
  const kind = FAULTS.find((known) => known === name);
  if (!kind) throw new InvalidArgumentError(`It must be one of ${FAULTS.join(', ')}, =count.`);
  return new Map(before).set(kind, count(number));
}

function label(text: string, before: Record<string, string>): Record<string, string> {
  const labels = withLabel(before, text);
  if (labels === null) throw new InvalidArgumentError(`It must be ${LABEL_FORM}.`);
  return labels;
}
