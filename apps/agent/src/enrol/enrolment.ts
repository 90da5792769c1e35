import { enrolResponseSchema, fullJitter, type EnrolRequest } from '@espalier/protocol';
import {
  generateKeyPair,
  keyPairFromPem,
  parseClaimToken,
  privateKeyPem,
  publicKeyBase64,
  trustFirstRoot,
  type KeyPair,
} from '@espalier/trust';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { z } from 'zod';
import { AgentError } from '../errors.js';
import { readIfThere, writeAtomically } from '../store/atomic-file.js';

const ANSWER_LIMIT_BYTES = 256 * 1024;
const ANSWER_TIMEOUT_MS = 15_000;

const identitySchema = enrolResponseSchema;

/** Who this device is, whom it trusts, and the key that never leaves it. */
export type Identity = z.infer<typeof identitySchema> & { readonly key: KeyPair };

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
 * @throws TrustError when the token is malformed or the root is not the one that it pins
 */
export async function enrol(options: EnrolmentOptions, log: Logger): Promise<Identity> {
  const identityPath = join(options.stateDir, 'identity.json');
  const key = deviceKey(join(options.stateDir, 'device-key.pem'));
  const stored = readIfThere(identityPath);
  if (stored) return { ...parseIdentity(identityPath, stored), key };
  if (!options.token) {
    throw new AgentError(
      'ENROL_NO_TOKEN',
      'This device is not enrolled yet: give a claim token with --token.',
    );
  }
  const { rootKeyId } = parseClaimToken(options.token);
  const answer = await request(
    options.server,
    {
      token: options.token,
      publicKey: publicKeyBase64(key),
      name: options.name,
      labels: { ...options.labels },
    },
    log,
  );
  trustFirstRoot(answer.root, rootKeyId);
  writeAtomically(identityPath, JSON.stringify(answer), { durable: true });
  log.info({ deviceId: answer.deviceId }, 'enrolled');
  return { ...answer, key };
}

function deviceKey(path: string): KeyPair {
  const stored = readIfThere(path);
  if (stored) return keyPairFromPem(stored.toString('utf8'));
  const made = generateKeyPair();
  writeAtomically(path, privateKeyPem(made), { durable: true });
  return made;
}

function parseIdentity(path: string, bytes: Buffer): z.infer<typeof identitySchema> {
  try {
    return identitySchema.parse(JSON.parse(bytes.toString('utf8')));
  } catch (cause) {
    throw new AgentError(
      'AGENT_STATE_CORRUPT',
      `${path} cannot be read back. Move the directory away and enrol the device again.`,
      { cause },
    );
  }
}

async function request(
  server: string,
  body: EnrolRequest,
  log: Logger,
): Promise<z.infer<typeof identitySchema>> {
  const url = new URL('/api/v1/enrolments', server);
  for (let attempt = 0; ; attempt += 1) {
    const wait = fullJitter(attempt, Math.random());
    try {
      const response = await fetch(url, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS),
      });
      const text = await boundedText(response);
      if (response.ok) return parseAnswer(text);
      const isTransient = response.status >= 500 || response.status === 429;
      if (!isTransient) throw refusal(response.status, text);
      log.warn(
        { status: response.status, waitMs: wait },
        'enrolment: the server cannot answer yet',
      );
    } catch (error) {
      if (error instanceof AgentError) throw error;
      log.warn({ err: error, waitMs: wait }, 'enrolment: the server cannot be reached');
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

async function boundedText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.byteLength;
    if (length > ANSWER_LIMIT_BYTES) {
      throw new AgentError(
        'ENROL_ANSWER',
        `The answer is longer than ${ANSWER_LIMIT_BYTES} bytes.`,
      );
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
}

function parseAnswer(text: string): z.infer<typeof identitySchema> {
  try {
    return identitySchema.parse(JSON.parse(text));
  } catch (cause) {
    throw new AgentError('ENROL_ANSWER', 'The server’s answer to the enrolment is not one.', {
      cause,
    });
  }
}

function refusal(status: number, text: string): AgentError {
  return new AgentError(
    'ENROL_REFUSED',
    `The server refused the enrolment (${status}): ${reasonIn(text).slice(0, 300)}`,
  );
}

/** What a problem document says; the text itself when it is none. */
function reasonIn(text: string): string {
  const problem = z.object({ code: z.string(), detail: z.string() }).partial();
  try {
    const { code, detail } = problem.parse(JSON.parse(text));
    return [code, detail].filter(Boolean).join(': ');
  } catch {
    return text;
  }
}
