/** A certificate authority of a test, with the files that a broker is started on. */
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  BROKER_FILES,
  brokerIdentity,
  CertificateAuthority,
  clientIdentity,
} from '@espalier/authority';
import type { IClientOptions } from 'mqtt';

export class FleetAuthority {
  private constructor(
    readonly authority: CertificateAuthority,
    readonly folder: string,
  ) {}

  static async make(): Promise<FleetAuthority> {
    const authority = await CertificateAuthority.open(
      await CertificateAuthority.create(Date.now()),
    );
    const folder = mkdtempSync(join(tmpdir(), 'espalier-authority-'));
    const broker = await brokerIdentity(authority, ['127.0.0.1'], Date.now());
    writeFileSync(join(folder, BROKER_FILES.ca), authority.pem);
    writeFileSync(join(folder, BROKER_FILES.certificate), broker.certificate);
    writeFileSync(join(folder, BROKER_FILES.privateKey), broker.privateKey, { mode: 0o600 });
    return new FleetAuthority(authority, folder);
  }

  /** What a broker is told to use them. */
  get environment(): Record<string, string> {
    return {
      ESPALIER_BROKER_CA_FILE: join(this.folder, BROKER_FILES.ca),
      ESPALIER_BROKER_CERT_FILE: join(this.folder, BROKER_FILES.certificate),
      ESPALIER_BROKER_KEY_FILE: join(this.folder, BROKER_FILES.privateKey),
    };
  }

  /** How a client of that name joins. */
  async login(commonName: string, lifetimeMs?: number): Promise<IClientOptions> {
    const identity = await clientIdentity(this.authority, commonName, Date.now(), lifetimeMs);
    const { certificate, privateKey } = identity;
    return { ca: this.authority.pem, cert: certificate, key: privateKey, clientId: commonName };
  }

  /** As {@link login}, with the serial number by which the certificate is declared void. */
  async listed(commonName: string): Promise<{ login: IClientOptions; serial: string }> {
    const login = await this.login(commonName);
    const { serialNumber } = new X509Certificate(String(login.cert));
    return { login, serial: serialNumber.toLowerCase() };
  }

  /** The broker's own certificate, shown as if it were a client's. */
  async brokerLogin(): Promise<IClientOptions> {
    const { certificate, privateKey } = await brokerIdentity(this.authority, [], Date.now());
    return { cert: certificate, key: privateKey };
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}
