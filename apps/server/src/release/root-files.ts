import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { LIMITS, rootSchema, signedSchema, type Root, type Signed } from '@espalier/protocol';
import { advanceRoot, payloadBytes, TrustError, verifySigned } from '@espalier/trust';
import { writePrivately } from './key-files.js';

/** A root, and what was signed. */
export interface KeptRoot {
  readonly root: Root;
  readonly signed: Signed;
}

/** Where a root that was made elsewhere is put. */
export const GIVEN_ROOT = 'root.next.json';

/** The roots in a key folder: `root.json`, those before it, and one that was made elsewhere. */
export class RootFiles {
  constructor(private readonly folder: string) {}

  /** The current root; null: none was made yet. @throws TrustError */
  current(): KeptRoot | null {
    const signed = this.#read('root.json');
    return signed && { root: readOwnRoot(signed), signed };
  }

  /**
   * The current root, after the one given as `root.next.json` has taken its place, if there is one.
   * @param check refuses a root that may not take it; then it stays where it was given
   * @throws TrustError when that does not follow from the current one; whatever `check` throws
   */
  takeGiven(check: (given: Root) => void): KeptRoot | null {
    const current = this.current();
    const signed = this.#read(GIVEN_ROOT);
    if (!signed) return current;
    const root = current ? advanceRoot(current.root, signed) : readOwnRoot(signed);
    // A cut after it had taken its place leaves the same file behind.
    const isTaken = root.version === current?.root.version;
    if (isTaken && signed.payload !== current?.signed.payload) {
      throw new TrustError(
        'TRUST_ROOT_CHAIN',
        `${GIVEN_ROOT} is another root of version ${root.version}; make one of version ${root.version + 1} from root.json.`,
      );
    }
    if (!isTaken) check(root);
    const taken = isTaken ? current : this.put({ root, signed });
    rmSync(join(this.folder, GIVEN_ROOT));
    return taken;
  }

  /** Makes a root the current one. A device that was away follows from the one it knows, one by one. */
  put(next: KeptRoot): KeptRoot {
    const former = this.current();
    if (former) this.#write(formerName(former.root.version), former.signed);
    this.#write('root.json', next.signed);
    return next;
  }

  /** The roots before a version, oldest first, as far back as messages carry them. */
  before(version: number): Signed[] {
    const versions = Array.from({ length: LIMITS.formerRoots }, (_, i) => version - 1 - i);
    return versions.reverse().flatMap((former) => this.#read(formerName(former)) ?? []);
  }

  #read(name: string): Signed | null {
    const path = join(this.folder, name);
    return existsSync(path) ? signedSchema.parse(JSON.parse(readFileSync(path, 'utf8'))) : null;
  }

  #write(name: string, signed: Signed): void {
    writePrivately(join(this.folder, name), JSON.stringify(signed));
  }
}

const formerName = (version: number): string => `root.${version}.json`;

function readOwnRoot(signed: Signed): Root {
  const root = rootSchema.parse(JSON.parse(Buffer.from(payloadBytes(signed)).toString('utf8')));
  return verifySigned(signed, 'root', root);
}
