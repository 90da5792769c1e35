/** What went wrong with a dataset or a card; stable, so that callers may branch on it. */
export type DatasetErrorCode =
  | 'DATASET_CORRUPT'
  | 'DATASET_TOO_LARGE'
  | 'DATASET_UNSUPPORTED'
  | 'DATASET_NO_X'
  | 'DATASET_SHAPE'
  | 'CARD_INVALID';

/** An error of this library: the message says what was wrong, where, and what to do. */
export class DatasetError extends Error {
  constructor(
    readonly code: DatasetErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'DatasetError';
  }
}
