import 'reflect-metadata';
import {
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  webcrypto,
  type KeyObject,
} from 'node:crypto';
import { isIP } from 'node:net';
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
  X509CrlGenerator,
  type Extension,
} from '@peculiar/x509';

type CryptoKey = webcrypto.CryptoKey;

const SIGNING = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const AUTHORITY_NAME = 'CN=Espalier authority';
const YEAR_MS = 365.25 * 86_400_000;
const AUTHORITY_YEARS = 20;
/** Certificates hold from the day before, so that a clock that is behind refuses none. */
const CLOCK_SLACK_MS = 86_400_000;
const SERIAL_BYTES = 16;

/** A certificate and the key that must stay secret, both PEM. */
export interface Identity {
  readonly certificate: string;
  readonly privateKey: string;
}

/** Whose certificate, for which key, for what. */
export interface CertificateRequest {
  readonly commonName: string;
  readonly publicKey: KeyObject;
  /** A client is a device or a server that connects; a broker is what they connect to. */
  readonly use: 'client' | 'broker';
  /** Names and addresses under which a broker is reached. */
  readonly hosts?: readonly string[];
  readonly lifetimeMs: number;
}

/** A certificate, how a revocation list names it (hex), and when it ends. */
export interface IssuedCertificate {
  readonly pem: string;
  readonly serial: string;
  readonly expires: Date;
}

/** Makes the X.509 certificates of one fleet: ECDSA on P-256 over SHA-256, one level deep. */
export class CertificateAuthority {
  private constructor(
    /** The authority's own certificate, PEM. */
    readonly pem: string,
    private readonly certificate: X509Certificate,
    private readonly key: CryptoKey,
  ) {}

  /** Makes a new authority. @param now milliseconds since 1970 */
  static async create(now: number): Promise<Identity> {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: SIGNING.namedCurve });
    const spki = spkiOf(publicKey);
    const certificate = await X509CertificateGenerator.create({
      serialNumber: newSerial(),
      subject: AUTHORITY_NAME,
      issuer: AUTHORITY_NAME,
      notBefore: new Date(now - CLOCK_SLACK_MS),
      notAfter: new Date(now + AUTHORITY_YEARS * YEAR_MS),
      publicKey: spki,
      signingKey: await signingKey(privateKey),
      signingAlgorithm: SIGNING,
      extensions: [
        new BasicConstraintsExtension(true, 0, true),
        new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
        await SubjectKeyIdentifierExtension.create(spki),
      ],
    });
    return {
      certificate: pemText('CERTIFICATE', certificate.rawData),
      privateKey: pemOf(privateKey),
    };
  }

  /** Opens an authority that was kept. @throws Error when the files are not what they should be */
  static async open({ certificate, privateKey }: Identity): Promise<CertificateAuthority> {
    const key = await signingKey(createPrivateKey(privateKey));
    return new CertificateAuthority(certificate, new X509Certificate(certificate), key);
  }

  /** Issues a certificate. @param now milliseconds since 1970 */
  async issue(request: CertificateRequest, now: number): Promise<IssuedCertificate> {
    const serial = newSerial();
    const expires = new Date(now + request.lifetimeMs);
    const certificate = await X509CertificateGenerator.create({
      serialNumber: serial,
      subject: [{ CN: [request.commonName] }],
      issuer: this.certificate.subject,
      notBefore: new Date(now - CLOCK_SLACK_MS),
      notAfter: expires,
      publicKey: spkiOf(request.publicKey),
      signingKey: this.key,
      signingAlgorithm: SIGNING,
      extensions: await this.extensionsOf(request),
    });
    return { pem: pemText('CERTIFICATE', certificate.rawData), serial, expires };
  }

  /**
   * A list of void certificates, PEM. Where a broker adds it to an older one, the later `now` counts,
   * which has seconds.
   * @param serials as issued
   * @param now milliseconds since 1970
   */
  async revocationList(serials: readonly string[], now: number): Promise<string> {
    const list = await X509CrlGenerator.create({
      issuer: this.certificate.subject,
      thisUpdate: new Date(now),
      // A list past its end locks every device out, and nobody is there to notice.
      nextUpdate: this.certificate.notAfter,
      entries: serials.map((serialNumber) => ({ serialNumber, revocationDate: new Date(now) })),
      signingKey: this.key,
      signingAlgorithm: SIGNING,
    });
    return pemText('X509 CRL', list.rawData);
  }

  private async extensionsOf({ use, hosts = [] }: CertificateRequest): Promise<Extension[]> {
    const usage = use === 'client' ? ExtendedKeyUsage.clientAuth : ExtendedKeyUsage.serverAuth;
    const names = hosts.map((host) => ({
      type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const),
      value: host,
    }));
    return [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([usage]),
      await AuthorityKeyIdentifierExtension.create(this.certificate.publicKey),
      ...(names.length > 0 ? [new SubjectAlternativeNameExtension(names)] : []),
    ];
  }
}

/** The library names a revocation list otherwise than OpenSSL reads it, so the text is made here. */
function pemText(label: string, der: ArrayBuffer): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n');
}

/** A private key as PKCS #8 PEM. */
export const pemOf = (key: KeyObject): string =>
  key.export({ type: 'pkcs8', format: 'pem' }).toString();

function signingKey(key: KeyObject): Promise<CryptoKey> {
  const der = key.export({ type: 'pkcs8', format: 'der' });
  return webcrypto.subtle.importKey('pkcs8', der, SIGNING, false, ['sign']);
}

const spkiOf = (key: KeyObject): PublicKey =>
  new PublicKey(key.export({ type: 'spki', format: 'der' }));

/** Random, positive, and without a leading zero byte, so that it is written the same everywhere. */
function newSerial(): string {
  const bytes = randomBytes(SERIAL_BYTES);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return bytes.toString('hex');
}
