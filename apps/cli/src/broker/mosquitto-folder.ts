import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import {
  AUTHORITY_FILES,
  BROKER_FILES,
  brokerIdentity,
  CertificateAuthority,
  MOSQUITTO_FILES,
  mosquittoAccess,
  mosquittoConfiguration,
} from '@espalier/authority';
import { CliError } from '../errors.js';

/** What a folder for Mosquitto is made of. */
export interface MosquittoFolder {
  readonly folder: string;
  /** The server's data folder. */
  readonly dataDir: string;
  /** Names and addresses under which devices reach it. */
  readonly hosts: readonly string[];
  readonly port: number;
  readonly address?: string;
}

/**
 * Makes the folder that Mosquitto is started on, again with a new certificate if it is there. What
 * the server writes into it, the lists of revoked devices, is left as it is.
 * @throws CliError CLI_FILE, CLI_OUT
 */
export async function makeMosquittoFolder(
  request: MosquittoFolder,
): Promise<{ folder: string; configuration: string; brokerUrl: string }> {
  const { folder, dataDir, hosts, port } = request;
  const now = Date.now();
  const authority = await authorityOf(join(dataDir, 'keys'));
  const identity = await brokerIdentity(authority, hosts, now);
  const settings = { ...request, user: userInfo().username };
  const files = {
    [BROKER_FILES.ca]: authority.pem,
    [BROKER_FILES.privateKey]: identity.privateKey,
    [BROKER_FILES.certificate]: identity.certificate,
    [MOSQUITTO_FILES.configuration]: mosquittoConfiguration(settings),
  };
  const unlessThere = {
    [BROKER_FILES.revoked]: await authority.revocationList([], now),
    [MOSQUITTO_FILES.access]: mosquittoAccess([]),
  };
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    for (const [name, text] of Object.entries(files)) await write(join(folder, name), text);
    for (const [name, text] of Object.entries(unlessThere)) {
      await readFile(join(folder, name)).catch(() => write(join(folder, name), text));
    }
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError('CLI_OUT', `--out ${folder} cannot be written (${why}).`, { cause });
  }
  return {
    folder,
    configuration: join(folder, MOSQUITTO_FILES.configuration),
    brokerUrl: `mqtts://${hosts[0] ?? 'localhost'}:${port}`,
  };
}

async function authorityOf(keys: string): Promise<CertificateAuthority> {
  try {
    return await CertificateAuthority.open({
      certificate: await readFile(join(keys, AUTHORITY_FILES.certificate), 'utf8'),
      privateKey: await readFile(join(keys, AUTHORITY_FILES.privateKey), 'utf8'),
    });
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new CliError(
      'CLI_FILE',
      `${keys} holds no authority that can be read (${why}). The server makes it at its first start; --data-dir names its DATA_DIR.`,
      { cause },
    );
  }
}

/** Whole, or not at all; for its owner alone, since one of the files is a key. */
async function write(path: string, text: string): Promise<void> {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w', 0o600);
  try {
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
}
