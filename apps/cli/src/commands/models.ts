import { basename } from 'node:path';
import { Option, type Command } from 'commander';
import {
  getModel,
  listCandidates,
  listModels,
  makeCandidates,
  pushModel,
  removeModel,
  type Candidate,
  type Model,
} from '../api/models.js';
import { followJob } from '../jobs.js';
import { readGiven, whole } from '../option-values.js';
import { ago, bytes, count, percent } from '../output/figures.js';
import { showStages } from '../output/stage-progress.js';
import { fields, table, type Terminal } from '../output/terminal.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

interface PushOptions extends ApiOptions {
  calibration: string;
  evaluation?: string;
  card?: string;
  name?: string;
}

interface CandidateOptions extends ApiOptions {
  make?: boolean;
  points: number;
  precision: 'fp32' | 'int8' | 'auto';
  seed: number;
}

/** Models that the server has, and what it makes of them. */
export function addModels(program: Command, context: Context): void {
  const group = program
    .command('models')
    .description('trained models and the candidates made of them');
  const { terminal } = context;

  apiCommand(group, 'push', 'gives the server a trained model and a little data')
    .argument('<model.onnx>')
    .requiredOption('--calibration <file.npz>', 'samples to fit and choose by')
    .option('--evaluation <file.npz>', 'labelled samples to report accuracy on')
    .option('--card <card.json>', 'how samples become what the model takes')
    .option('--name <name>', 'its name; by default that of the file')
    .action(async (path: string, options: PushOptions) => {
      const { calibration, evaluation, card } = options;
      const model = await pushModel(connect(options, context), {
        name: options.name ?? basename(path, '.onnx'),
        model: await readGiven(path, 'the model'),
        calibration: await readGiven(calibration, '--calibration'),
        evaluation: evaluation ? await readGiven(evaluation, '--evaluation') : undefined,
        card: card ? Buffer.from(await readGiven(card, '--card')).toString('utf8') : undefined,
      });
      show(model, options, context, () => modelText(model, terminal));
    });

  apiCommand(group, 'list', 'models that the server has').action(async (options: ApiOptions) => {
    const answer = await listModels(connect(options, context));
    show(answer, options, context, ({ models }) => modelsText(models, terminal));
  });

  apiCommand(group, 'show', 'one model: its file, and what it costs')
    .argument('<model>')
    .action(async (id: string, options: ApiOptions) => {
      const model = await getModel(connect(options, context), id);
      show(model, options, context, () => modelText(model, terminal));
    });

  apiCommand(group, 'remove', 'deletes a model of which no release was made, and its candidates')
    .argument('<model>')
    .action(async (id: string, options: ApiOptions) => {
      await removeModel(connect(options, context), id);
      show({ removed: id }, options, context, () => `${id} removed`);
    });

  apiCommand(group, 'candidates', 'what a model was made into, or can be made into with --make')
    .argument('<model>')
    .option('--make', 'make candidates first, and wait for them')
    .option('--points <N>', 'with --make: how many', whole(1), 6)
    .addOption(
      new Option('--precision <precision>', 'with --make: auto makes both')
        .choices(['fp32', 'int8', 'auto'])
        .default('auto'),
    )
    .option('--seed <N>', 'with --make: the seed', whole(0), 1)
    .action(async (id: string, options: CandidateOptions) => {
      const api = connect(options, context);
      if (options.make) {
        const { points, precision, seed } = options;
        const precisions = precision === 'auto' ? (['fp32', 'int8'] as const) : [precision];
        const job = await makeCandidates(api, id, { points, precisions: [...precisions], seed });
        const stages = showStages(terminal.progress);
        try {
          await followJob(api, job, stages, context.signal);
        } finally {
          stages.stop();
        }
      }
      const candidates = await listCandidates(api, id);
      show(candidates, options, context, () => candidatesText(candidates, terminal));
    });
}

function modelsText(models: readonly Model[], terminal: Terminal): string {
  if (models.length === 0) return 'No models. `espalier models push` gives the server one.';
  const now = Date.now();
  return table(
    terminal,
    ['model', 'name', 'file', 'MACs', 'pushed'],
    models.map(({ id, name, bytes: size, inspection, createdAt }) => [
      ...[id, name, bytes(size), count(inspection.macs), ago(createdAt, now)],
    ]),
    { right: [2, 3] },
  );
}

function modelText(model: Model, terminal: Terminal): string {
  const { inspection } = model;
  return fields(terminal, [
    ['model', `${model.id} (${model.name})`],
    ['sha256', model.sha256],
    ['file', bytes(model.bytes)],
    ['parameters', count(inspection.params)],
    ['MACs', count(inspection.macs)],
    ['peak RAM', bytes(inspection.peakRamBytes)],
    ['evaluation', model.evaluationSha256 ? 'yes' : 'none'],
  ]);
}

function candidatesText(candidates: readonly Candidate[], terminal: Terminal): string {
  if (candidates.length === 0) return 'No candidates yet; --make makes them.';
  return table(
    terminal,
    ['candidate', 'precision', 'MACs', 'of it', 'file', 'to send', 'peak RAM', 'accuracy'],
    candidates.map(({ id, report: { model, variant, artifact, quality } }) => [
      id,
      variant.precision,
      count(variant.macs),
      percent(variant.macs / model.macs, 0),
      bytes(variant.bytes),
      bytes(artifact.bytes),
      bytes(variant.peakRamBytes),
      quality ? percent(quality.after, 2) : '-',
    ]),
    { right: [2, 3, 4, 5, 6, 7] },
  );
}
