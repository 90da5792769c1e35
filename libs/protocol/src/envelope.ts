import { z } from 'zod';
import { ProtocolError } from './errors.js';
import { parseJson } from './json.js';
import { LIMITS } from './limits.js';
import { counterSchema, idSchema, instantSchema } from './primitives.js';

/**
 * What surrounds every control message. `id` makes a message idempotent: whoever gets it twice acts
 * once. `epoch` is the server's lease; a device refuses one lower than it has seen.
 */
export const envelopeSchema = z.object({
  v: z.literal(1),
  id: idSchema,
  sentAt: instantSchema,
  epoch: counterSchema,
  /** How long the sender held the message before this sending; absent: not at all. */
  heldMs: counterSchema.optional(),
});
export type Envelope = z.infer<typeof envelopeSchema>;

/** An envelope with its body. */
export type Message<T> = Envelope & { body: T };

/**
 * Parses a control message: size first, then depth, then JSON, then shape.
 * @param bytes the MQTT payload
 * @throws ProtocolError PROTOCOL_TOO_LARGE, PROTOCOL_TOO_DEEP, PROTOCOL_NOT_JSON, PROTOCOL_TEXT,
 *   PROTOCOL_INVALID
 */
export function decodeMessage<T>(bytes: Uint8Array, body: z.ZodType<T>): Message<T> {
  if (bytes.byteLength > LIMITS.controlMessageBytes) {
    throw new ProtocolError(
      'PROTOCOL_TOO_LARGE',
      `A control message of ${bytes.byteLength} bytes is over the limit of ${LIMITS.controlMessageBytes}.`,
    );
  }
  const json = parseJson(bytes);
  const envelope = envelopeSchema.safeParse(json);
  if (!envelope.success) throw invalid(envelope.error);
  const parsed = body.safeParse((json as { body?: unknown }).body);
  if (!parsed.success) throw invalid(parsed.error);
  return { ...envelope.data, body: parsed.data };
}

/** Encodes a control message for MQTT. */
export function encodeMessage<T>(envelope: Omit<Envelope, 'v'>, body: T): Uint8Array {
  return new TextEncoder().encode(JSON.stringify({ v: 1, ...envelope, body }));
}

/**
 * An encoded message as it is sent after it was held for a while.
 * @throws ProtocolError PROTOCOL_NOT_JSON, PROTOCOL_INVALID when the bytes are no message
 */
export function holdMessage(bytes: Uint8Array, heldMs: (sentAt: string) => number): Uint8Array {
  const message: Message<unknown> = decodeMessage(bytes, z.unknown());
  const { id, sentAt, epoch, body } = message;
  const held = Math.max(0, Math.round(heldMs(sentAt)));
  return encodeMessage({ id, sentAt, epoch, heldMs: held }, body);
}

function invalid(error: z.ZodError): ProtocolError {
  const issue = error.issues[0];
  const where = issue && issue.path.length > 0 ? issue.path.join('.') : 'the message';
  return new ProtocolError('PROTOCOL_INVALID', `${where}: ${issue?.message ?? 'is not valid'}.`);
}
