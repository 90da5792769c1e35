import { InvalidArgumentError, Option, type Command } from 'commander';
import { ApiClient } from '../api/client.js';
import type { Context } from './context.js';

/** Options of every command that speaks with a server. */
export interface ApiOptions {
  server: string;
  token?: string;
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
    .addOption(
      new Option('--token <token>', 'bearer token, in place of that of `espalier login`').env(
        'ESPALIER_TOKEN',
      ),
    )
    .option('--json', 'print one JSON document');
}

/** The server, by the token that was given, else by that of the login there. */
export const connect = ({ server, token }: ApiOptions, { signal, logins }: Context): ApiClient =>
  new ApiClient(server, token ?? logins.tokenFor(server), signal);

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
