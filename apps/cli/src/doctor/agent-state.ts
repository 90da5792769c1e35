import { join } from 'node:path';
import { enrolResponseSchema, membershipSchema, type Membership } from '@espalier/protocol';
import { payloadBytes } from '@espalier/trust';
import { bad, good, reasonOf, type Finding } from './finding.js';
import type { Surroundings } from './surroundings.js';

const AGAIN = 'Move the folder away, and enrol the device again with a new claim token.';

/** Whether a device is enrolled, and as what; null where it is not. */
export async function checkEnrolment(
  { read, now }: Surroundings,
  stateDir: string,
): Promise<{ finding: Finding; identity: Membership | null }> {
  const path = join(stateDir, 'identity.json');
  try {
    const text = await read(path);
    if (text === null) {
      return {
        finding: bad(
          'enrolment',
          `this device is not enrolled (there is no ${path})`,
          'Start the agent with a claim token of `espalier devices claim`.',
        ),
        identity: null,
      };
    }
    const { membership } = enrolResponseSchema.parse(JSON.parse(text));
    const payload = Buffer.from(payloadBytes(membership)).toString('utf8');
    const identity = membershipSchema.parse(JSON.parse(payload));
    return { finding: standing(identity, now()), identity };
  } catch (error) {
    const unreadable = error instanceof Error && 'syscall' in error;
    return {
      finding: unreadable
        ? bad('enrolment', reasonOf(error), 'Run this command as the user that runs the agent.')
        : bad('enrolment', `${path} is damaged`, AGAIN),
      identity: null,
    };
  }
}

function standing({ deviceId, expires }: Membership, now: number): Finding {
  if (Date.parse(expires) > now) {
    return good('enrolment', `enrolled as ${deviceId}, its certificate good until ${expires}`);
  }
  return bad(
    'enrolment',
    `the certificate of ${deviceId} ended at ${expires}`,
    'A running agent renews it; look in its log why it cannot.',
  );
}
