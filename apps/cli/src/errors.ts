/** Stable codes of the command line's own errors; libraries and the server bring theirs. */
export type CliErrorCode =
  | 'CLI_USAGE'
  | 'CLI_FILE'
  | 'CLI_OUT'
  | 'CLI_PROFILE'
  | 'CLI_CREDENTIALS'
  | 'CLI_UNREACHABLE'
  | 'CLI_ANSWER'
  | 'CLI_DEMO'
  | 'CLI_CANCELLED';

/** Something that the command was given, or relied on, is not as it must be. */
export class CliError extends Error {
  constructor(
    readonly code: CliErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'CliError';
  }
}

/** A request that the server refused; `code` is the server's. */
export class ApiProblem extends Error {
  constructor(
    readonly code: string,
    readonly status: number,
    message: string,
  ) {
    super(message);
    this.name = 'ApiProblem';
  }
}
