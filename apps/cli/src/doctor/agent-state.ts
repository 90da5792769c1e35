import { join } from 'node:path';
import { enrolResponseSchema, type EnrolResponse } from '@espalier/protocol';
import { bad, good, reasonOf, type Finding } from './finding.js';
import type { Surroundings } from './surroundings.js';

const AGAIN = 'Move the folder away, and enrol the device again with a new claim token.';

/** Whether a device is enrolled, with what; null where it is not. */
export async function checkEnrolment(
  { read }: Surroundings,
  stateDir: string,
): Promise<{ finding: Finding; identity: EnrolResponse | null }> {
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
    const identity = enrolResponseSchema.parse(JSON.parse(text));
    return { finding: good('enrolment', `enrolled as ${identity.deviceId}`), identity };
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
