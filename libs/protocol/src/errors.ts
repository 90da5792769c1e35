/** Why a message was refused at the boundary. */
export type ProtocolErrorCode =
  | 'PROTOCOL_TOO_LARGE'
  | 'PROTOCOL_NOT_JSON'
  | 'PROTOCOL_TOO_DEEP'
  | 'PROTOCOL_TEXT'
  | 'PROTOCOL_INVALID'
  | 'PROTOCOL_TOPIC'
  | 'PROTOCOL_FRAME'
  | 'PROTOCOL_SELECTOR';

/** A message, topic or frame that does not follow the protocol. Never fatal: drop it and go on. */
export class ProtocolError extends Error {
  constructor(
    readonly code: ProtocolErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ProtocolError';
  }
}
