import {
  enrolRequest,
  generateKeyPair,
  signRenewal,
  sign,
  verifyEnrolRequest,
  verifyRenewal,
} from './index.js';

const key = generateKeyPair();
const other = generateKeyPair();
const NOW = Date.parse('2030-01-01T00:00:00Z');
const given = { token: 'esp1.abcd.0123456789abcdef.0', name: 'cam', labels: { b: '2', a: '1' } };

const codeOf = (act: () => unknown): string => {
  try {
    act();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'accepted';
};

describe('a request to enrol', () => {
  it('shows that the sender holds the key, however its labels are ordered', () => {
    const request = enrolRequest(given, key);
    const reordered = { ...request, labels: { a: '1', b: '2' } };
    expect(Buffer.from(verifyEnrolRequest(reordered))).toEqual(Buffer.from(key.publicKey));
  });

  it('is refused with another’s key, or when anything in it was changed', () => {
    const request = enrolRequest(given, key);
    for (const change of [
      { publicKey: enrolRequest(given, other).publicKey },
      { token: `${given.token}1` },
      { name: 'other' },
      { labels: { a: '1' } },
      { proof: '' },
    ]) {
      expect(codeOf(() => verifyEnrolRequest({ ...request, ...change }))).toBe('TRUST_PROOF');
    }
    const short = { ...request, publicKey: 'AAAA' };
    expect(codeOf(() => verifyEnrolRequest(short))).toBe('TRUST_KEY');
  });
});

describe('a request for another certificate', () => {
  const device = { id: 'cam-1', publicKey: key.publicKey };

  it('is good for a day, signed by the device that it names', () => {
    const request = signRenewal('cam-1', key, NOW);
    const verified = (now: number) => codeOf(() => verifyRenewal(request, device, now));
    expect(verified(NOW + 3_600_000)).toBe('accepted');
    expect(verified(NOW + 25 * 3_600_000)).toBe('TRUST_EXPIRED');
    expect(verified(NOW - 25 * 3_600_000)).toBe('TRUST_EXPIRED');
  });

  it('is refused of another device, and of another key', () => {
    const verified = (request: ReturnType<typeof signRenewal>) =>
      codeOf(() => verifyRenewal(request, device, NOW));
    expect(verified(signRenewal('cam-2', key, NOW))).toBe('TRUST_PROOF');
    expect(verified(signRenewal('cam-1', other, NOW))).toBe('TRUST_THRESHOLD');
    expect(verified(sign('report', { type: 'renewal' }, [key]))).toBe('TRUST_PAYLOAD_TYPE');
  });
});
