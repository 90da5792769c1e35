import { randomUUID } from 'node:crypto';
import type { FuzzRun, Tally } from './outcome.js';

const BATCH = 100;
/** A little more than a control message may have, and less than a broker takes. */
const PACKET_BYTES = 258 * 1024;

/** A process that spoilt messages are sent to. */
export interface Receiver {
  readonly name: string;
  /** Sends one spoilt message. */
  send(): Promise<void>;
  /** Sends a sound one; whether it was served. */
  isServed(): Promise<boolean>;
  /** What the process logged lately. */
  log(): string;
}

/** Sends messages, and after each batch looks whether a sound one is served; when none is, gives up. */
export async function sendInBatches(
  { count, note }: FuzzRun,
  tally: Tally,
  receiver: Receiver,
): Promise<void> {
  for (let sent = 0; sent < count;) {
    for (const end = Math.min(count, sent + BATCH); sent < end; sent += 1) await receiver.send();
    if (!(await receiver.isServed())) {
      tally.fail(`No answer after ${sent} messages: ${receiver.log().slice(-300)}`);
      return;
    }
    if (sent % 1000 === 0) note(`${receiver.name}: ${sent} sent, ${tally.refusals} refused`);
  }
}

/** A message's body in its envelope. */
export const enveloped = (body: object) => ({
  ...{ v: 1, id: randomUUID(), sentAt: new Date().toISOString(), epoch: 1 },
  body,
});

/** As much of a message as a packet holds. */
export const fitting = (payload: Uint8Array): Uint8Array => payload.subarray(0, PACKET_BYTES);

/** A line of a log that tells of an error. */
export const ERROR_LINE = /^\{"level":(?:50|60)/;
