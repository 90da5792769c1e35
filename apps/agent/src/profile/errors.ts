/** Why a device could not measure itself. */
export type ProfileErrorCode = 'PROFILE_TIMEOUT' | 'PROFILE_PROCESS' | 'PROFILE_ANSWER';

/** The measuring process did not give a profile. The agent goes on with the one that it has. */
export class ProfileError extends Error {
  constructor(
    readonly code: ProfileErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ProfileError';
  }
}
