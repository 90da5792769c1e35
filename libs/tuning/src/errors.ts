/** Why tuning refused its input. */
export type TuningErrorCode = 'TUNING_GRAPH' | 'TUNING_PROFILE' | 'TUNING_CANDIDATES';

/** A model, profile or candidate set that no prediction can be made from. */
export class TuningError extends Error {
  constructor(
    readonly code: TuningErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'TuningError';
  }
}
