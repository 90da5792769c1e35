import { reportPayloadSchema, type ReportPayload, type Signed } from '@espalier/protocol';
import { sign, verifyThreshold } from './envelope.js';
import { keyIdOf, type KeyPair } from './keys.js';
import { parseVerified } from './parse.js';

/** Signs what a device reports, with the key that was made on it. */
export function signReport(payload: ReportPayload, deviceKey: KeyPair): Signed {
  return sign('report', payload, [deviceKey]);
}

/**
 * Verifies a device's report, then parses it.
 * @param devicePublicKey raw, as given at enrolment
 * @throws TrustError TRUST_PAYLOAD_TYPE, TRUST_THRESHOLD, TRUST_PAYLOAD
 */
export function verifyReport(signed: Signed, devicePublicKey: Uint8Array): ReportPayload {
  const keys = new Map([[keyIdOf(devicePublicKey), devicePublicKey]]);
  return parseVerified(verifyThreshold(signed, 'report', keys, 1), reportPayloadSchema, 'report');
}
