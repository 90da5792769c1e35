import type { Login } from '@espalier/link';
import { enrolResponseSchema, type Root } from '@espalier/protocol';
import {
  enrolRequest,
  generateKeyPair,
  parseClaimToken,
  privateKeyPem,
  trustFirstRoot,
  verifyMembership,
  type KeyPair,
} from '@espalier/trust';
import { z } from 'zod';

const TIMEOUT_MS = 30_000;
const tokenSchema = z.object({ token: z.string() });

/** A server, and a token of it that may make claim tokens. */
export interface Site {
  readonly url: string;
  readonly apiToken: string;
}

/** A device that the server knows. */
export interface Identity {
  readonly deviceId: string;
  readonly login: Login;
  readonly key: KeyPair;
  readonly root: Root;
}

/** The server did not let a simulated device in. */
export class EnrolmentError extends Error {
  readonly code = 'SIMULATOR_ENROLMENT';
}

/**
 * Enrols a device as every device is: a claim token of its own, a key pair of its own, and the answer
 * checked against the token's pin. The certificate is not renewed: a simulation ends before it does.
 * @throws EnrolmentError, TrustError
 */
export async function enrol(
  { url: server, apiToken }: Site,
  name: string,
  labels: Readonly<Record<string, string>>,
): Promise<Identity> {
  const { token } = tokenSchema.parse(
    await post(server, '/api/v1/claim-tokens', { labels }, { authorization: `Bearer ${apiToken}` }),
  );
  const key = generateKeyPair();
  const request = enrolRequest({ token, name, labels: {} }, key);
  const answer = enrolResponseSchema.parse(await post(server, '/api/v1/enrolments', request));
  const root = trustFirstRoot(answer.root, parseClaimToken(token).rootKeyId);
  const device = { id: answer.deviceId, publicKey: key.publicKey };
  const { deviceId, brokerUrl, authorities, certificate } = verifyMembership(
    answer.membership,
    root,
    device,
  );
  const login = { brokerUrl, authorities, certificate, privateKey: privateKeyPem(key) };
  return { deviceId, login, key, root };
}

async function post(
  server: string,
  path: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<unknown> {
  const response = await fetch(new URL(path, server), {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal: AbortSignal.timeout(TIMEOUT_MS),
  });
  const text = await response.text();
  if (!response.ok) {
    throw new EnrolmentError(`POST ${path}: ${response.status} ${text.slice(0, 300)}`);
  }
  return JSON.parse(text);
}
