/** Bytes that are no sketch, or a stream that cannot be judged. */
export class EvidenceError extends Error {
  constructor(
    readonly code: 'SKETCH_INVALID',
    message: string,
  ) {
    super(message);
    this.name = 'EvidenceError';
  }
}
