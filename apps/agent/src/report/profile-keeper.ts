import { profileSchema, type Profile } from '@espalier/protocol';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { z } from 'zod';
import { measureProfile, type MeasureOptions } from '../profile/index.js';
import { readIfThere, writeAtomically } from '../store/atomic-file.js';

const storedSchema = z.object({ settings: z.string(), profile: profileSchema });

/** The latest measured profile, kept on the disk, measured anew when its settings change. */
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
    const stored = { settings: this.#settings, profile };
    writeAtomically(this.#path, JSON.stringify(stored), { durable: true });
    this.#profile = profile;
    return profile;
  }

  #read(): Profile | null {
    const bytes = readIfThere(this.#path);
    if (!bytes) return null;
    try {
      const stored = storedSchema.parse(JSON.parse(bytes.toString('utf8')));
      return stored.settings === this.#settings ? stored.profile : null;
    } catch {
      return null;
    }
  }
}
