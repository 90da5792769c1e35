import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { AUTHORITY_FILES, CertificateAuthority } from '@espalier/authority';
import { writePrivately } from '../release/key-files.js';

/** Opens the certificate authority in the key folder, or makes it there. */
export async function keptAuthority(folder: string, now: number): Promise<CertificateAuthority> {
  const certificate = join(folder, AUTHORITY_FILES.certificate);
  const privateKey = join(folder, AUTHORITY_FILES.privateKey);
  // The certificate is written last: it says that the key is there too.
  if (!existsSync(certificate)) {
    const made = await CertificateAuthority.create(now);
    writePrivately(privateKey, made.privateKey);
    writePrivately(certificate, made.certificate);
  }
  return CertificateAuthority.open({
    certificate: readFileSync(certificate, 'utf8'),
    privateKey: readFileSync(privateKey, 'utf8'),
  });
}
