/** Stable codes of the server's own errors; libraries bring their own. */
export type ServerErrorCode =
  | 'CONFIG_INVALID'
  | 'DATABASE_TOO_NEW'
  | 'DATABASE_CHANGED'
  | 'LEASE_LOST'
  | 'SERVER_BUSY'
  | 'SERVER_INTERNAL'
  | 'REQUEST_INVALID'
  | 'NOT_FOUND'
  | 'UNAUTHENTICATED'
  | 'LOGIN_REFUSED'
  | 'TOO_MANY_ATTEMPTS'
  | 'RATE_LIMITED'
  | 'SESSION_NEEDED'
  | 'ROLE_NEEDED'
  | 'CROSS_ORIGIN'
  | 'ROUTE_WITHOUT_ROLE'
  | 'ACCOUNT_EXISTS'
  | 'ACCOUNT_LAST_ADMIN'
  | 'TOO_MANY_TOKENS'
  | 'CLAIM_TOKEN_REFUSED'
  | 'DEVICE_REVOKED'
  | 'CERTIFICATES_TOO_MANY'
  | 'UPLOAD_TOO_LARGE'
  | 'UPLOAD_INCOMPLETE'
  | 'UPLOAD_NAME'
  | 'MODELS_FULL'
  | 'MODEL_IN_USE'
  | 'CANDIDATES_FULL'
  | 'JOB_OVER'
  | 'JOB_QUEUE_FULL'
  | 'PLAN_EMPTY'
  | 'PROPOSAL_CLOSED'
  | 'ROOT_KEYS'
  | 'RELEASE_SIGNED'
  | 'RELEASE_UNSIGNED'
  | 'RELEASE_MISMATCH'
  | 'ROLLOUT_NOT_ALLOWED'
  | 'ROLLOUT_DEVICE_BUSY'
  | 'DEVICE_UNREACHABLE'
  | 'SHADOW_UNKNOWN_MODEL'
  | 'SHADOW_NOT_ASKED'
  | 'SHADOW_NOT_GIVEN'
  | 'SHADOW_TOO_LARGE'
  | 'SHADOW_TOO_OLD'
  | 'SHADOW_TOO_MANY'
  | 'SHADOW_STORE_FULL';

/** An error with a stable code; `status` is what HTTP says of it. */
export class ServerError extends Error {
  constructor(
    readonly code: ServerErrorCode,
    readonly status: number,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ServerError';
  }
}

/** @param what the thing and its id, such as `device cam-1` */
export const notFound = (what: string): ServerError =>
  new ServerError('NOT_FOUND', 404, `There is no ${what}.`);
