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

/**
 * What `read` makes of a file.
 * @throws what `read` throws; a DatasetError then begins with the file's name
 */
export function readingFile<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof DatasetError)) throw cause;
    throw new DatasetError(cause.code, `${name}: ${cause.message}`, { cause });
  }
}
