import { fullJitter, type EnrolRequest, type EnrolResponse } from '@espalier/protocol';
import { enrolRequest, parseClaimToken } from '@espalier/trust';
import type { Logger } from 'pino';
import { AgentError } from '../errors.js';
import { deviceKey, Identity } from './identity.js';
import { requestMembership, ServerAway } from './request.js';

/** How to enrol, when that has not happened yet. */
export interface EnrolmentOptions {
  readonly stateDir: string;
  readonly server: string;
  readonly token?: string | undefined;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
}

/**
 * The identity kept in the state directory, or a new one from the server. The key pair is made and
 * kept before the request, so that a cut in between repeats the same request. Tries for ever while
 * the server cannot be reached.
 * @throws AgentError ENROL_NO_TOKEN, ENROL_REFUSED, ENROL_ANSWER, AGENT_STATE_CORRUPT
 * @throws TrustError when the token is malformed, the root is not the one that it pins, or the
 * membership is not signed by whom the root names
 */
export async function enrol(options: EnrolmentOptions, log: Logger): Promise<Identity> {
  const key = deviceKey(options.stateDir);
  const kept = Identity.kept(options.stateDir, key);
  if (kept) return kept;
  const { server, token, name, labels } = options;
  if (!token) {
    throw new AgentError(
      'ENROL_NO_TOKEN',
      'This device is not enrolled yet: give a claim token with --token (`espalier devices claim` makes one).',
    );
  }
  const { rootKeyId } = parseClaimToken(token);
  const answer = await request(server, enrolRequest({ token, name, labels }, key), log);
  const identity = Identity.first(options.stateDir, key, answer, rootKeyId);
  log.info({ deviceId: identity.deviceId }, 'enrolled');
  return identity;
}

async function request(server: string, body: EnrolRequest, log: Logger): Promise<EnrolResponse> {
  const url = new URL('/api/v1/enrolments', server);
  for (let attempt = 0; ; attempt += 1) {
    try {
      return await requestMembership(url, body);
    } catch (error) {
      if (!(error instanceof ServerAway)) throw error;
      const waitMs = fullJitter(attempt, Math.random());
      log.warn({ err: error, waitMs }, 'enrolment: the server cannot answer yet');
      await new Promise((resolve) => setTimeout(resolve, waitMs));
    }
  }
}
