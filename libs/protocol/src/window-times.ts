import type { Envelope } from './envelope.js';
import type { Telemetry } from './up.js';

/**
 * When a telemetry window was, by the receiver's clock. It ended as long before its arrival as the
 * device held the message, and before the message was made; it lasted as long as the device's steady
 * clock says. So the window of a device whose time of day is wrong, or was set while it was offline,
 * still lands where it belongs.
 */
export function windowTimes(
  envelope: Pick<Envelope, 'sentAt' | 'heldMs'>,
  window: Pick<Telemetry, 'from' | 'to' | 'durationMs'>,
  receivedAt: Date,
): { from: Date; to: Date } {
  const [from, to, made] = [window.from, window.to, envelope.sentAt].map((at) =>
    Date.parse(at),
  ) as [number, number, number];
  const end = Math.max(0, receivedAt.getTime() - (envelope.heldMs ?? 0) - Math.max(0, made - to));
  const lasted = window.durationMs ?? Math.max(0, to - from);
  return { from: new Date(Math.max(0, end - lasted)), to: new Date(end) };
}
