/** Why a manifest or a stored bitmap was refused. */
export type DeliveryErrorCode = 'DELIVERY_MANIFEST' | 'DELIVERY_BITMAP' | 'TARGET_MANIFEST';

/** A manifest that contradicts itself, or a bitmap that cannot be read back. */
export class DeliveryError extends Error {
  constructor(
    readonly code: DeliveryErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'DeliveryError';
  }
}
