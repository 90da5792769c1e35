import {
  deviceMayPublish,
  deviceMaySubscribe,
  parseTopic,
  ProtocolError,
} from '@espalier/protocol';
import type { Identity } from './authentication.js';

/** Bytes that may wait for a client before bulk chunks to it are dropped; it asks again. */
const BULK_BACKLOG_BYTES = 1024 * 1024;

/** Whether a client may publish to a topic. */
export const mayPublish = (who: Identity | undefined, topic: string): boolean =>
  who?.kind === 'server' || (who?.kind === 'device' && deviceMayPublish(who.deviceId, topic));

/** Whether a client may subscribe to a filter. */
export const maySubscribe = (who: Identity | undefined, filter: string): boolean =>
  who?.kind === 'server' || (who?.kind === 'device' && deviceMaySubscribe(who.deviceId, filter));

/**
 * Whether a message is let through to a client with so many bytes waiting. One stalled subscriber
 * must not hold back the others, so chunks, which are repaired later, give way first.
 */
export function mayForward(topic: string, waitingBytes: number): boolean {
  return waitingBytes <= BULK_BACKLOG_BYTES || !isBulk(topic);
}

function isBulk(topic: string): boolean {
  try {
    const parsed = parseTopic(topic);
    return parsed.direction === 'content' || parsed.kind === 'chunk';
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}
