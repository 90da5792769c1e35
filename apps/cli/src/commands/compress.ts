import { basename } from 'node:path';
import {
  compress,
  compressPareto,
  CompressionError,
  GOAL_NAMES,
  type CompressHooks,
  type CompressRequest,
  type Goal,
} from '@espalier/compression';
import { Option, type Command } from 'commander';
import { goalsOf } from '../compress/front.js';
import { openRequest, type CompressOptions } from '../compress/request.js';
import { frontFiles, variantFiles } from '../compress/result-files.js';
import {
  checkResultFolder,
  type ResultFiles,
  writeResultFolder,
} from '../compress/result-folder.js';
import { frontText, reportText } from '../compress/summary.js';
import { EXIT } from '../exit.js';
import { number, share, whole } from '../option-values.js';
import { showStages } from '../output/stage-progress.js';
import type { Context } from './context.js';

interface Given {
  /** Of the model's file. */
  name: string;
  calibration: string;
  evaluation?: string;
  card?: string;
  out: string;
  precision: 'fp32' | 'int8' | 'auto';
  sparsity?: number;
  device?: string;
  pareto?: boolean;
  points: number;
  seed: number;
  json?: boolean;
}

const GOALS: Record<Goal['name'], { value: string; what: string }> = {
  'macs-ratio': { value: 'R', what: 'at most this share of the multiply-accumulates' },
  'max-latency-ms': { value: 'L', what: 'at most this latency on the device (--device)' },
  'max-ram-kib': { value: 'M', what: 'at most this much memory for weights and activations' },
  'max-size-kib': { value: 'S', what: 'at most this size of the model file' },
  'max-accuracy-drop': { value: 'P', what: 'at most this many points of accuracy lost' },
};

/** Compression here, without a server. */
export function addCompress(program: Command, context: Context): void {
  const goals: Goal[] = [];
  const command = program
    .command('compress')
    .description('makes a model smaller and faster, without training, from a little data')
    .argument('<model.onnx>')
    .requiredOption('--calibration <file.npz>', 'samples to fit and choose by')
    .option('--evaluation <file.npz>', 'labelled samples, read once, to report accuracy on')
    .option('--card <card.json>', 'how samples become what the model takes')
    .requiredOption('--out <dir>', 'folder for model.onnx, report.json and report.html');
  for (const name of GOAL_NAMES) {
    const { value, what } = GOALS[name];
    command.addOption(
      new Option(`--${name} <${value}>`, `goal: ${what}`).argParser((text) =>
        goals.push({ name, target: number(text) }),
      ),
    );
  }
  command
    .addOption(
      new Option('--precision <precision>', 'of weights and activations')
        .choices(['fp32', 'int8', 'auto'])
        .default('fp32'),
    )
    .option('--sparsity <F>', 'share of weights that become zero', share)
    .option('--device <profile.json>', 'the device it is for, as it measured itself')
    .option('--pareto', 'make a front of candidates, a folder each, and pareto.json')
    .option('--points <N>', 'candidates of a front', whole(1), 6)
    .option('--seed <N>', 'the same seed and files give the same model', whole(0), 1)
    .option('--json', 'print one JSON document: the report, or the front')
    .action(async (model: string, options: Omit<Given, 'name'>) => {
      await checkResultFolder(options.out);
      const given = { ...options, name: basename(model) };
      await run({ ...given, model, goals }, given, context);
    });
}

async function run(options: CompressOptions, given: Given, context: Context): Promise<void> {
  const { terminal, signal } = context;
  const request = await openRequest(options);
  const stages = showStages(terminal.progress);
  const hooks: CompressHooks = { onProgress: (update) => stages.update(update), signal };
  let finished: Finished;
  try {
    finished = given.pareto
      ? await makeFront(request, given, hooks, context)
      : await makeOne(request, given, hooks, context);
  } finally {
    stages.stop();
  }
  if (signal.aborted) {
    throw new CompressionError('COMPRESS_CANCELLED', 'Interrupted; nothing was written.');
  }
  await writeResultFolder(given.out, finished.files);
  if (given.json) terminal.json(finished.document);
  else terminal.print(finished.text());
  if (!finished.goalsMet) context.exitWith(EXIT.goalMissed);
}

interface Finished {
  readonly files: ResultFiles;
  readonly document: object;
  readonly goalsMet: boolean;
  text(): string;
}

async function makeOne(
  request: CompressRequest,
  given: Given,
  hooks: CompressHooks,
  { terminal }: Context,
): Promise<Finished> {
  const { model, report, goalsMet } = await compress(request, hooks);
  return {
    files: await variantFiles({ model, report }, given.name),
    document: report,
    goalsMet,
    text: () => reportText(report, given.out, terminal),
  };
}

async function makeFront(
  request: CompressRequest,
  given: Given,
  hooks: CompressHooks,
  { terminal }: Context,
): Promise<Finished> {
  const { precision, points } = given;
  const made = await compressPareto(
    { ...request, points, precisions: precision === 'auto' ? ['fp32', 'int8'] : [precision] },
    hooks,
  );
  const candidates = made.candidates.map(({ id, model, report }) => ({
    ...{ id, model },
    report: { ...report, goals: goalsOf(report, request.goals) },
  }));
  const reports = candidates.map(({ report }) => report);
  return {
    files: await frontFiles(candidates, made.pareto, given.name),
    document: made.pareto,
    goalsMet: reports.some(({ goals }) => goals.every(({ met }) => met)),
    text: () => frontText(made.pareto, reports, given.out, terminal),
  };
}
