/** Why an artifact cannot be made or expanded. */
export type ArtifactErrorCode =
  /** The bytes do not follow the encoding, or not to the end. */
  | 'ARTIFACT_CORRUPT'
  /** They expand to another length than was announced. */
  | 'ARTIFACT_LENGTH'
  /** The announced length is over the caller's bound, or beyond what so few bytes may become. */
  | 'ARTIFACT_TOO_LARGE'
  /** The segments given to the encoder overlap or leave the file. */
  | 'ARTIFACT_SEGMENTS';

/** An error of this library: the message says what was wrong, where, and what to do. */
export class ArtifactError extends Error {
  constructor(
    readonly code: ArtifactErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ArtifactError';
  }
}
