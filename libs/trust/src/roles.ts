import {
  releaseSchema,
  rootSchema,
  targetSchema,
  timestampSchema,
  type Release,
  type Role,
  type Root,
  type Signed,
  type Target,
  type Timestamp,
} from '@espalier/protocol';
import type { z } from 'zod';
import { verifyThreshold } from './envelope.js';
import { parseVerified } from './parse.js';

/** The document of each role. */
export interface RoleDocument {
  root: Root;
  release: Release;
  target: Target;
  timestamp: Timestamp;
}

const SCHEMAS: { [R in Role]: z.ZodType<RoleDocument[R]> } = {
  root: rootSchema,
  release: releaseSchema,
  target: targetSchema,
  timestamp: timestampSchema,
};

/** Raw public keys, by id, that a root lets sign for a role. */
export function keysOfRole(root: Root, role: Role): Map<string, Uint8Array> {
  const keys = new Map<string, Uint8Array>();
  for (const keyid of root.roles[role].keyids) {
    const key = root.keys[keyid];
    if (key) keys.set(keyid, Buffer.from(key.public, 'base64'));
  }
  return keys;
}

/**
 * Verifies a document against the root's keys and threshold for `role`, then, and only then, parses
 * it. Expiry and versions are for the caller: see {@link assertFresh} and {@link assertNotLower}.
 * @throws TrustError TRUST_PAYLOAD_TYPE, TRUST_THRESHOLD, TRUST_PAYLOAD
 */
export function verifySigned<R extends Role>(signed: Signed, role: R, root: Root): RoleDocument[R] {
  const { threshold } = root.roles[role];
  const bytes = verifyThreshold(signed, role, keysOfRole(root, role), threshold);
  return parseVerified<RoleDocument[R]>(bytes, SCHEMAS[role], `${role} document`);
}
