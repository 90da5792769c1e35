import { PROFILE_SCHEMA_VERSION, profileSchema, type Profile } from '@espalier/protocol';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { measureProfile, type MeasureOptions } from '../profile/index.js';
import { readIfThere, writeAtomically } from '../store/atomic-file.js';

const storedSchema = z.object({
  settings: z.string(),
  /** The boot of the machine that it was measured in. */
  boot: z.string().optional(),
  profile: profileSchema,
});

/** Names this boot of the machine; empty where the kernel does not. */
function machineBoot(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return '';
  }
}

/** The latest measured profile, kept on the disk; measured anew after a boot, and when its settings change. */
export class ProfileKeeper {
  readonly #path: string;
  readonly #settings: string;
  #profile: Profile | null;

  constructor(private readonly options: MeasureOptions) {
    this.#path = join(options.stateDir, 'profile.json');
    this.#settings = JSON.stringify({ ...options, stateDir: undefined });
    this.#profile = this.#read();
  }

  get profile(): Profile | null {
    return this.#profile;
  }

  /** Hash of the profile's JSON, by which both ends know whether it is the same. */
  get sha256(): string | null {
    if (!this.#profile) return null;
    return createHash('sha256').update(JSON.stringify(this.#profile)).digest('hex');
  }

  /** Measures this device. @throws ProfileError */
  async measure(): Promise<Profile> {
    const profile = await measureProfile(this.options);
    const stored = { settings: this.#settings, boot: machineBoot(), profile };
    writeAtomically(this.#path, JSON.stringify(stored), { durable: true });
    this.#profile = profile;
    return profile;
  }

  #read(): Profile | null {
    const bytes = readIfThere(this.#path);
    if (!bytes) return null;
    try {
      const stored = storedSchema.parse(JSON.parse(bytes.toString('utf8')));
      const { settings, boot, profile } = stored;
      const current = settings === this.#settings && (boot ?? '') === machineBoot();
      return current && profile.schemaVersion === PROFILE_SCHEMA_VERSION ? profile : null;
    } catch {
      return null;
    }
  }
}
