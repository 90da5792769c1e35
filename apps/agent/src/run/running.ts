/** The model that is loaded now. */
export interface Running {
  readonly generation: number;
  readonly releaseId: string;
  readonly variantId: string;
  /** Hash of the bytes that the session was created from. */
  readonly modelSha256: string;
  /** Resident set gained by the session. */
  readonly modelBytes: number;
}
