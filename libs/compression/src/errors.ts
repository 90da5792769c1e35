/** Why a compression could not be done. */
export type CompressionErrorCode =
  | 'COMPRESS_NO_INPUT'
  | 'COMPRESS_NOT_FLOAT'
  | 'COMPRESS_CALIBRATION'
  | 'COMPRESS_GOAL_INVALID'
  | 'COMPRESS_TOO_LARGE'
  | 'COMPRESS_LABELS'
  | 'COMPRESS_EMPTY_CUT'
  | 'COMPRESS_NOTHING_TO_PRUNE'
  | 'COMPRESS_UNKNOWN_GROUP'
  | 'COMPRESS_NOT_FINITE'
  | 'COMPRESS_CANCELLED';

/** A model, data set or goal that cannot be compressed as asked. */
export class CompressionError extends Error {
  constructor(
    readonly code: CompressionErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'CompressionError';
  }
}
