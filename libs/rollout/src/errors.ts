/** Why a rollout was refused when it was written. */
export type RolloutErrorCode =
  | 'ROLLOUT_SPEC'
  | 'ROLLOUT_STAGES'
  | 'ROLLOUT_SAMPLE_UNREACHABLE'
  | 'ROLLOUT_EMPTY'
  | 'ROLLOUT_VARIANT_UNKNOWN'
  | 'ROLLOUT_DEVICE_REPEATED';

/** A rollout that could not do what it says; the message names the field and what would be right. */
export class RolloutError extends Error {
  constructor(
    readonly code: RolloutErrorCode,
    message: string,
  ) {
    super(message);
    this.name = 'RolloutError';
  }
}
