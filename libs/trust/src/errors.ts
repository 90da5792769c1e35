/** Why a key, a signature or a signed document was refused. */
export type TrustErrorCode =
  | 'TRUST_KEY'
  | 'TRUST_PAYLOAD_TYPE'
  | 'TRUST_THRESHOLD'
  | 'TRUST_PAYLOAD'
  | 'TRUST_PIN'
  | 'TRUST_ROOT_CHAIN'
  | 'TRUST_EXPIRED'
  | 'TRUST_ROLLBACK'
  | 'TRUST_CLAIM_TOKEN'
  | 'TRUST_PROOF'
  | 'TRUST_MEMBERSHIP'
  | 'TARGET_DEVICE'
  | 'TARGET_RELEASE';

/** Something is not what a trusted key vouches for. Never act on the document that caused it. */
export class TrustError extends Error {
  constructor(
    readonly code: TrustErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'TrustError';
  }
}
