import type { Root, Signed, Timestamp } from '@espalier/protocol';
import {
  advanceRoot,
  assertFresh,
  assertNotLower,
  followRoots,
  generateKeyPair,
  publicKeyBase64,
  sign,
  trustFirstRoot,
  verifySigned,
  type KeyPair,
} from './index.js';

const soon = '2030-01-01T00:00:00Z';

function rootOf(version: number, rootKeys: KeyPair[], online: KeyPair, threshold = 1): Root {
  const role = (keys: KeyPair[], n = 1) => ({ keyids: keys.map((key) => key.keyId), threshold: n });
  return {
    type: 'root',
    version,
    expires: soon,
    keys: Object.fromEntries(
      [...rootKeys, online].map((key) => [
        key.keyId,
        { scheme: 'ed25519' as const, public: publicKeyBase64(key) },
      ]),
    ),
    roles: {
      root: role(rootKeys, threshold),
      release: role([online]),
      target: role([online]),
      timestamp: role([online]),
    },
  };
}

const timestamp: Timestamp = {
  type: 'timestamp',
  version: 3,
  issued: '2029-01-01T00:00:00Z',
  expires: soon,
  rootVersion: 1,
};

describe('trust in a root', () => {
  const [first, second, third, online, stranger] = Array.from({ length: 5 }, generateKeyPair) as [
    KeyPair,
    KeyPair,
    KeyPair,
    KeyPair,
    KeyPair,
  ];

  it('is given to the root whose key the claim token pins', () => {
    const root = rootOf(1, [first], online);
    expect(trustFirstRoot(sign('root', root, [first]), first.keyId)).toEqual(root);
  });

  it('is refused to a root that carries another key, or names the pinned key without its signature', () => {
    expect(() =>
      trustFirstRoot(sign('root', rootOf(1, [second], online), [second]), first.keyId),
    ).toThrow(expect.objectContaining({ code: 'TRUST_PIN' }));
    expect(() =>
      trustFirstRoot(sign('root', rootOf(1, [first], online), [second]), first.keyId),
    ).toThrow(expect.objectContaining({ code: 'TRUST_THRESHOLD' }));
  });

  it('is refused when the pinned id stands beside the bytes of another key', () => {
    const root = rootOf(1, [first], online);
    root.keys[first.keyId] = { scheme: 'ed25519', public: publicKeyBase64(stranger) };
    const signed = sign('root', root, [stranger]);
    signed.signatures[0]!.keyid = first.keyId;
    expect(() => trustFirstRoot(signed, first.keyId)).toThrow(
      expect.objectContaining({ code: 'TRUST_PIN' }),
    );
  });

  it('is refused when the pinned key only has another role', () => {
    const root = rootOf(1, [second], first);
    expect(() => trustFirstRoot(sign('root', root, [first, second]), first.keyId)).toThrow(
      expect.objectContaining({ code: 'TRUST_PIN' }),
    );
  });

  it('passes to version N+1 only when N and N+1 both sign it', () => {
    const one = rootOf(1, [first], online);
    const two = rootOf(2, [second, third], online, 2);
    expect(advanceRoot(one, sign('root', two, [first, second, third]))).toEqual(two);
    for (const keys of [[second, third], [first, second], [first]] as [KeyPair, ...KeyPair[]][]) {
      expect(() => advanceRoot(one, sign('root', two, keys))).toThrow(
        expect.objectContaining({ code: 'TRUST_THRESHOLD' }),
      );
    }
  });

  it('neither skips a version nor falls, and takes the current root again', () => {
    const two = rootOf(2, [first], online);
    expect(advanceRoot(two, sign('root', two, [first]))).toEqual(two);
    expect(() => advanceRoot(two, sign('root', rootOf(4, [first], online), [first]))).toThrow(
      expect.objectContaining({ code: 'TRUST_ROOT_CHAIN' }),
    );
    expect(() => advanceRoot(two, sign('root', rootOf(1, [first], online), [first]))).toThrow(
      expect.objectContaining({ code: 'TRUST_ROLLBACK' }),
    );
  });

  it('passes along a chain, from wherever a device stands, and over no gap or forgery', () => {
    const documents = [rootOf(1, [first], online), rootOf(2, [second, third], online, 2)];
    documents.push(rootOf(3, [third], online));
    const [one, two, three] = documents as [Root, Root, Root];
    const chain = [
      sign('root', one, [first]),
      sign('root', two, [first, second, third]),
      sign('root', three, [second, third]),
    ] as const;
    const former = chain.slice(0, 2);
    for (const known of documents) expect(followRoots(known, former, chain[2])).toEqual(three);
    const codeOf = (known: Root, given: typeof former, last: Signed = chain[2]) => {
      try {
        followRoots(known, given, last);
      } catch (error) {
        return (error as { code: string }).code;
      }
      return 'none';
    };
    expect(codeOf(one, [])).toBe('TRUST_THRESHOLD');
    expect(codeOf(three, [], chain[1])).toBe('TRUST_ROLLBACK');
    const forged = sign('root', rootOf(2, [stranger], online), [stranger]);
    expect(codeOf(one, [chain[0], forged])).toBe('TRUST_THRESHOLD');
    const alone = sign('root', two, [first, second]);
    expect(codeOf(one, [chain[0], alone])).toBe('TRUST_THRESHOLD');
  });

  it('lets a key sign only for its roles', () => {
    const root = rootOf(1, [first], online);
    expect(verifySigned(sign('timestamp', timestamp, [online]), 'timestamp', root)).toEqual(
      timestamp,
    );
    expect(() => verifySigned(sign('timestamp', timestamp, [first]), 'timestamp', root)).toThrow(
      expect.objectContaining({ code: 'TRUST_THRESHOLD' }),
    );
  });
});

describe('freshness', () => {
  it('refuses a document at its expiry and after, or with an expiry that is no time', () => {
    assertFresh(timestamp, Date.parse(soon) - 1);
    expect(() => assertFresh(timestamp, Date.parse(soon))).toThrow(
      expect.objectContaining({ code: 'TRUST_EXPIRED' }),
    );
    expect(() => assertFresh({ type: 'target', expires: 'never' }, 0)).toThrow(
      expect.objectContaining({ code: 'TRUST_EXPIRED' }),
    );
  });

  it('lets a counter stay or rise, never fall', () => {
    assertNotLower('generation', 4, 4);
    expect(() => assertNotLower('generation', 4, 3)).toThrow(
      expect.objectContaining({ code: 'TRUST_ROLLBACK' }),
    );
  });
});
