import {
  addSignature,
  keysOfRole,
  makeRoot,
  sign,
  signersOf,
  type RoleKeys,
} from '@espalier/trust';
import { type Command, InvalidArgumentError } from 'commander';
import { CliError } from '../errors.js';
import { positive, whole } from '../option-values.js';
import { table, type Terminal } from '../output/terminal.js';
import { keyFiles, readKeyFiles } from '../signing/key-file.js';
import { readRootFile, writeRootFile, type RootInFile } from '../signing/root-file.js';
import type { Context } from './context.js';
import { addKeygen } from './keygen.js';

const DAY_MS = 86_400_000;
const ROLES = ['root', 'release', 'target', 'timestamp'] as const;

interface MakeOptions {
  readonly from?: string;
  readonly root?: readonly Uint8Array[];
  readonly rootThreshold?: number;
  readonly release?: readonly Uint8Array[];
  readonly releaseThreshold?: number;
  readonly online?: Uint8Array;
  readonly days: number;
  readonly key: readonly string[];
  readonly out: string;
  readonly json?: boolean;
}

interface ShowOptions {
  readonly from?: string;
  readonly json?: boolean;
}

/** Roots that say whose keys count, made and signed where their keys are. */
export function addRoot(program: Command, context: Context): void {
  const group = program
    .command('root')
    .description('roots that are made and signed off the server');
  const { terminal } = context;

  addKeygen(group, terminal, 'makes a root key', (file, publicKey) => [
    `${file} holds the private key. Its public half:`,
    publicKey,
  ]);

  group
    .command('make')
    .description('the next root after one, or a first; what is not given stays as it was')
    .option('--from <root.json>', 'the root that it follows; none: it is a first')
    .option('--root <public>', 'a root key; again for each of them all', publicKeys)
    .option('--root-threshold <n>', 'root keys that must sign', whole(1))
    .option('--release <public>', 'a key that may sign releases; again for each', publicKeys)
    .option('--release-threshold <n>', 'release keys that must sign', whole(1))
    .option('--online <public>', "the server's online key", publicKey)
    .option('--days <days>', 'how long it is good for', positive, 365)
    .requiredOption('--key <file.pem>', 'a root key to sign with; may be repeated', keyFiles)
    .requiredOption('--out <root.json>', 'where to write it')
    .option('--json', 'print one JSON document')
    .action(async (options: MakeOptions) => {
      const former = options.from === undefined ? null : await readRootFile(options.from);
      const root = makeRoot((former?.root.version ?? 0) + 1, {
        root: roleKeys('root', options.root, options.rootThreshold, former),
        release: roleKeys('release', options.release, options.releaseThreshold, former),
        online: options.online ?? onlineOf(former),
        expires: new Date(Date.now() + options.days * DAY_MS).toISOString(),
      });
      const signed = sign('root', root, await readKeyFiles(options.key));
      await writeRootFile(options.out, signed);
      say({ root, signed }, former, options.json, terminal);
    });

  group
    .command('sign')
    .description('adds signatures to a root')
    .argument('<root.json>')
    .requiredOption('--key <file.pem>', 'a root key to sign with; may be repeated', keyFiles)
    .option('--from <former.json>', 'the root before it, whose keys must sign, too')
    .option('--json', 'print one JSON document')
    .action(async (path: string, options: ShowOptions & { key: readonly string[] }) => {
      const { root, signed } = await readRootFile(path);
      const more = (await readKeyFiles(options.key)).reduce(addSignature, signed);
      await writeRootFile(path, more);
      await sayOf({ root, signed: more }, options, terminal);
    });

  group
    .command('show')
    .description('what a root says, and whether enough keys have signed it')
    .argument('<root.json>')
    .option('--from <former.json>', 'the root before it, whose keys must sign, too')
    .option('--json', 'print one JSON document')
    .action(async (path: string, options: ShowOptions) => {
      await sayOf(await readRootFile(path), options, terminal);
    });
}

/** The keys of a role that were given, or that it had; and how many must sign. */
function roleKeys(
  role: 'root' | 'release',
  given: readonly Uint8Array[] | undefined,
  threshold: number | undefined,
  former: RootInFile | null,
): RoleKeys {
  const keys = given ?? (former ? [...keysOfRole(former.root, role).values()] : []);
  if (keys.length === 0) {
    throw new CliError('CLI_USAGE', `A first root needs its ${role} keys: give --${role}.`);
  }
  return { keys, threshold: threshold ?? former?.root.roles[role].threshold ?? 1 };
}

function onlineOf(former: RootInFile | null): Uint8Array {
  const [online] = former ? keysOfRole(former.root, 'target').values() : [];
  if (online) return online;
  throw new CliError('CLI_USAGE', "A first root needs the server's online key: give --online.");
}

async function sayOf(root: RootInFile, options: ShowOptions, terminal: Terminal): Promise<void> {
  const former = options.from === undefined ? null : await readRootFile(options.from);
  say(root, former, options.json, terminal);
}

/** Prints a root, and how many signatures of its own keys and of the one before it it has. */
function say(
  { root, signed }: RootInFile,
  former: RootInFile | null,
  json: boolean | undefined,
  terminal: Terminal,
): void {
  const signatures = [root, ...(former ? [former.root] : [])].map((by) => ({
    version: by.version,
    signed: signersOf(signed, keysOfRole(by, 'root')).size,
    needed: by.roles.root.threshold,
  }));
  const complete = signatures.every((one) => one.signed >= one.needed);
  const { version, expires, roles } = root;
  if (json) {
    terminal.json({ version, expires, roles, signatures, complete });
    return;
  }
  const rows = ROLES.map((role) => [
    role,
    String(roles[role].threshold),
    roles[role].keyids.join('\n'),
  ]);
  const lines = signatures.map(
    (one) => `${one.signed} of ${one.needed} signatures by the keys of version ${one.version}`,
  );
  terminal.print(
    [
      `root ${version}, until ${expires}`,
      table(terminal, ['role', 'must sign', 'keys'], rows, { right: [1] }),
      ...lines,
      complete ? 'It is complete.' : 'It is not complete: `espalier root sign` adds signatures.',
    ].join('\n'),
  );
}

function publicKey(text: string): Uint8Array {
  const key = Buffer.from(text, 'base64');
  if (key.byteLength === 32 && key.toString('base64') === text) return key;
  throw new InvalidArgumentError(
    'It must be the base64 of an Ed25519 public key, as keygen prints it.',
  );
}

const publicKeys = (text: string, before: readonly Uint8Array[] = []): Uint8Array[] => [
  ...before,
  publicKey(text),
];
