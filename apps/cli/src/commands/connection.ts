import { InvalidArgumentError, Option, type Command } from 'commander';
import { ApiClient } from '../api/client.js';
import type { Context } from './context.js';

/** Options of every command that speaks with a server. */
export interface ApiOptions {
  server: string;
  json?: boolean;
}

/** A command of a group, with the options that it shares with the others. */
export function apiCommand(group: Command, name: string, description: string): Command {
  return group
    .command(name)
    .description(description)
    .addOption(
      new Option('--server <url>', 'address of the server')
        .env('ESPALIER_SERVER')
        .default('http://127.0.0.1:8080')
        .argParser(address),
    )
    .option('--json', 'print one JSON document');
}

export const connect = ({ server }: ApiOptions, { signal }: Context): ApiClient =>
  new ApiClient(server, signal);

/** Prints an answer: as JSON when that was asked for, else as text. */
export function show<T>(
  answer: T,
  { json }: ApiOptions,
  { terminal }: Context,
  text: (answer: T) => string,
): void {
  if (json) terminal.json(answer);
  else terminal.print(text(answer));
}

function address(text: string): string {
  if (!URL.canParse(text) || !/^https?:/.test(text)) {
    throw new InvalidArgumentError('It must be an http or https address.');
  }
  return text;
}
