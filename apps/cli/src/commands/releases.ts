import type { ReleaseView } from '@espalier/protocol';
import { sign } from '@espalier/trust';
import type { Command } from 'commander';
import { addSignature, createRelease, getRelease, listReleases } from '../api/releases.js';
import { ago, bytes } from '../output/figures.js';
import { table, type Terminal } from '../output/terminal.js';
import { keyFiles, readKeyFiles } from '../signing/key-file.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';
import { addKeygen } from './keygen.js';

/** Releases: made on the server, signed here. */
export function addReleases(program: Command, context: Context): void {
  const group = program
    .command('releases')
    .alias('release')
    .description('signed, closed sets of variants');
  const { terminal } = context;

  apiCommand(group, 'create', 'the variants of a plan, as a release to be signed')
    .argument('<model>')
    .argument('<plan>')
    .action(async (modelId: string, planId: string, options: ApiOptions) => {
      const release = await createRelease(connect(options, context), { modelId, planId });
      show(release, options, context, () => releaseText(release, terminal));
    });

  apiCommand(group, 'sign', 'signs a release here, with a key that the server never sees')
    .argument('<release>')
    .requiredOption('--key <file.pem>', 'a private release key; may be repeated', keyFiles)
    .action(async (id: string, options: ApiOptions & { key: readonly string[] }) => {
      const api = connect(options, context);
      const keys = await readKeyFiles(options.key);
      const { document } = await getRelease(api, id);
      const release = await addSignature(api, id, sign('release', document, keys));
      show(release, options, context, () => releaseText(release, terminal));
    });

  apiCommand(group, 'list', 'releases, the newest first').action(async (options: ApiOptions) => {
    const answer = await listReleases(connect(options, context));
    show(answer, options, context, ({ releases }) => releasesText(releases, terminal));
  });

  apiCommand(group, 'show', 'one release and its variants')
    .argument('<release>')
    .action(async (id: string, options: ApiOptions) => {
      const release = await getRelease(connect(options, context), id);
      show(release, options, context, () => releaseText(release, terminal));
    });

  addKeygen(group, terminal, 'makes a release key', (file, publicKey) => [
    `${file} holds the private key; keep it off the server.`,
    'Start the server with its public half:',
    `ESPALIER_RELEASE_KEYS=${publicKey}`,
  ]);
}

function releasesText(releases: readonly ReleaseView[], terminal: Terminal): string {
  if (releases.length === 0) return 'No releases. `espalier releases create` makes one of a plan.';
  const now = Date.now();
  return table(
    terminal,
    ['release', 'model', 'version', 'variants', 'state', 'made'],
    releases.map(({ id, document, state, createdAt }) => [
      id,
      document.model,
      String(document.version),
      String(document.variants.length),
      state,
      ago(createdAt, now),
    ]),
    { right: [2, 3] },
  );
}

function releaseText({ id, document, state }: ReleaseView, terminal: Terminal): string {
  const drawn = table(
    terminal,
    ['variant', 'precision', 'file', 'to send', 'sha256 of the model'],
    document.variants.map(({ id: variantId, precision, model, artifact }) => [
      variantId,
      precision,
      bytes(model.length),
      `${bytes(artifact.length)} (${artifact.encoding})`,
      model.sha256,
    ]),
    { right: [2, 3] },
  );
  return `release ${id}, ${document.model} version ${document.version}, ${state}\n${drawn}`;
}
