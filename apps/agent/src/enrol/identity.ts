import {
  enrolResponseSchema,
  membershipSchema,
  type EnrolResponse,
  type Membership,
  type Root,
  type Signed,
} from '@espalier/protocol';
import {
  advanceRoot,
  assertNotLower,
  generateKeyPair,
  keyPairFromPem,
  payloadBytes,
  privateKeyPem,
  trustFirstRoot,
  verifyMembership,
  type KeyPair,
} from '@espalier/trust';
import { join } from 'node:path';
import { AgentError } from '../errors.js';
import { readIfThere, writeAtomically } from '../store/atomic-file.js';

/** Who this device is at the broker, the key that never leaves it, and whom it trusts. */
export class Identity {
  private constructor(
    private readonly path: string,
    readonly key: KeyPair,
    /** The first root, which the claim token vouched for. */
    readonly firstRoot: Signed,
    private current: Membership,
  ) {}

  /** The identity kept in a state directory, if there is one. @throws AgentError AGENT_STATE_CORRUPT */
  static kept(stateDir: string, key: KeyPair): Identity | undefined {
    const path = pathIn(stateDir);
    const stored = readIfThere(path);
    if (!stored) return undefined;
    try {
      const { root, membership } = enrolResponseSchema.parse(JSON.parse(stored.toString('utf8')));
      // It was verified before it was kept.
      const text = Buffer.from(payloadBytes(membership)).toString('utf8');
      return new Identity(path, key, root, membershipSchema.parse(JSON.parse(text)));
    } catch (cause) {
      throw new AgentError(
        'AGENT_STATE_CORRUPT',
        `${path} cannot be read back. Move the directory away and enrol the device again.`,
        { cause },
      );
    }
  }

  /**
   * Takes a server's answer to the enrolment, and keeps it.
   * @param rootKeyId the pin of the claim token, which covers all of the answer
   * @throws TrustError
   */
  static first(stateDir: string, key: KeyPair, answer: EnrolResponse, rootKeyId: string): Identity {
    const root = trustFirstRoot(answer.root, rootKeyId);
    const device = { id: answer.deviceId, publicKey: key.publicKey };
    const membership = verifyMembership(answer.membership, root, device);
    const path = pathIn(stateDir);
    writeAtomically(path, JSON.stringify(answer), { durable: true });
    return new Identity(path, key, answer.root, membership);
  }

  get deviceId(): string {
    return this.current.deviceId;
  }

  get membership(): Membership {
    return this.current;
  }

  /**
   * Takes a server's answer to a renewal; until it is on the disk, the membership before it stands.
   * @param root the newest trusted root
   * @throws TrustError
   */
  renew(answer: EnrolResponse, root: Root): void {
    const device = { id: this.deviceId, publicKey: this.key.publicKey };
    const next = verifyMembership(answer.membership, advanceRoot(root, answer.root), device);
    assertNotLower('membership', Date.parse(this.current.issued), Date.parse(next.issued));
    const kept = { ...answer, root: this.firstRoot };
    writeAtomically(this.path, JSON.stringify(kept), { durable: true });
    this.current = next;
  }
}

/** The device's key pair: made on the first start, and kept where only its owner can read it. */
export function deviceKey(stateDir: string): KeyPair {
  const path = join(stateDir, 'device-key.pem');
  const stored = readIfThere(path);
  if (stored) return keyPairFromPem(stored.toString('utf8'));
  const made = generateKeyPair();
  writeAtomically(path, privateKeyPem(made), { durable: true });
  return made;
}

const pathIn = (stateDir: string): string => join(stateDir, 'identity.json');
