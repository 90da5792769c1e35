import { availableParallelism } from 'node:os';
import { splitDataset } from '@espalier/dataset';
import { graphOf, type Model, readModel } from '@espalier/onnx';
import { buildChannelGraph } from '../channels/channel-graph.js';
import { residualBlocks } from '../channels/residual-blocks.js';
import { CompressionError } from '../errors.js';
import { type Outputs, outputsOf } from '../evaluate.js';
import { prepareModel } from '../prepare/index.js';
import { checkLabels } from '../report/quality.js';
import type { Choices } from '../search/allocate.js';
import { MeasuredLoss } from '../search/measured-loss.js';
import {
  type JudgeContext,
  measureBlocks,
  measureSensitivity,
  type OutputKind,
} from '../search/sensitivity.js';
import { sizeTable, type SizeTable } from '../search/size-table.js';
import type { Space } from '../search/widths.js';
import { collectDense, type DenseLayer } from '../statistics/dense.js';
import { GramEngine } from '../statistics/gram.js';
import type { RunSettings } from '../statistics/run.js';
import { type Samples, samplesFor } from '../statistics/samples.js';
import { orderUnits } from '../structure/order-units.js';
import type { CompressHooks, CompressRequest, Precision } from './request.js';
import type { Stopwatch } from './stopwatch.js';
import type { Made } from './variant.js';

/** Everything that one calibration gives, from which any number of variants is made. */
export interface Workbench extends Space {
  readonly original: Model;
  /** The model after the preparing passes: what is cut. */
  readonly model: Model;
  /** Of each group, then of each block. */
  readonly choices: readonly Choices[];
  readonly measuredLoss: MeasuredLoss;
  readonly sizes: SizeTable;
  readonly dense: ReadonlyMap<string, DenseLayer>;
  readonly samples: Samples;
  readonly fit: readonly number[];
  readonly gate: readonly number[];
  readonly gateReference: Outputs;
  readonly output: OutputKind & { readonly name: string };
  readonly engine: GramEngine;
  readonly settings: RunSettings & { readonly seed: number };
  /** For each precision, each group's widths where the target's latency steps down, once asked for. */
  readonly latencySteps: Map<Precision, readonly (readonly number[])[]>;
  /** Structures made, by their widths; bounded by who fills it. */
  readonly structures: Map<string, Made>;
}

/** Widths are chosen in steps of this many channels. */
const WIDTH_STEP = 4;

/** Most samples that a candidate is judged on while searching. */
const JUDGE_SAMPLES = 192;

/** Runs the calibration: everything before the first variant. Release it when done. */
export async function openWorkbench(
  request: CompressRequest,
  watch: Stopwatch,
  hooks: CompressHooks,
): Promise<Workbench> {
  const progress = (stage: string) => (done: number, total: number) =>
    hooks.onProgress?.({ stage, done, total });
  const settings = {
    threads: request.threads ?? availableParallelism(),
    seed: request.seed,
    signal: hooks.signal,
  };
  const original = readModel(request.model);
  const model = await watch.time('prepare', () => prepareModel(original));
  const samples = samplesFor(model, request.calibration, request.card);
  // Whether the evaluation can be fed, too, is asked before the work, and not after it.
  if (request.evaluation) samplesFor(model, request.evaluation, request.card);
  const output = outputKind(model, request);
  const { fit, gate } = splitDataset(request.calibration, request.seed);
  const engine = await GramEngine.open(settings.threads);
  try {
    const gateReference = await watch.time('reference', () =>
      outputsOf(model, samples, gate, { ...settings, output: output.name }),
    );
    if (output.task === 'classification' && gateReference.width > 1) {
      checkLabels(samples.labels, gateReference.width);
      // The evaluation's labels are only looked over here: a mistake in them should not cost the work.
      checkLabels(request.evaluation?.y, gateReference.width);
    }
    if (gateReference.rows.some((value) => !Number.isFinite(value))) {
      throw new CompressionError(
        'COMPRESS_NOT_FINITE',
        'The model gives values that are not finite on the calibration samples; check the input card.',
      );
    }
    const channels = await watch.time('channels', () => buildChannelGraph(model));
    const dense = await watch.time('statistics', () =>
      collectDense(channels, samples, fit, engine, settings, progress('statistics')),
    );
    const groups = await watch.time('order', () =>
      channels.groups
        .filter(({ units }) => units.length > 1)
        .map((group) => orderUnits(channels, group, dense)),
    );
    const stride = Math.max(1, Math.ceil(fit.length / JUDGE_SAMPLES));
    const indices = fit.filter((_, i) => i % stride === 0);
    const blocks = residualBlocks(channels);
    const judging: JudgeContext = {
      channels,
      groups,
      blocks,
      dense,
      samples,
      indices,
      reference: await outputsOf(model, samples, indices, { ...settings, output: output.name }),
      output,
      settings,
    };
    const measuredLoss = new MeasuredLoss({ ...judging, fit, engine });
    const choices = needsSearch(request)
      ? await watch.time('sensitivity', async (): Promise<Choices[]> => [
          ...(await measureSensitivity(judging, WIDTH_STEP, progress('sensitivity'))),
          ...(await measureBlocks(judging)),
        ])
      : [];
    return {
      original,
      model,
      channels,
      groups,
      blocks,
      choices,
      measuredLoss,
      sizes: sizeTable({ channels, groups, blocks }),
      dense,
      samples,
      fit,
      gate,
      gateReference,
      output,
      engine,
      settings,
      latencySteps: new Map(),
      structures: new Map(),
    };
  } catch (error) {
    await engine.release();
    throw error;
  }
}

/** Whether any goal can ask for a cut. */
function needsSearch(request: CompressRequest): boolean {
  return request.goals.length > 0;
}

function outputKind(model: Model, { card, calibration }: CompressRequest): Workbench['output'] {
  const graph = graphOf(model);
  const name = card?.output?.name ?? graph.outputs[0]?.name ?? '';
  const softmax = graph.producer(name)?.op === 'Softmax';
  const classes =
    card?.task === 'classification' || (!card && (calibration.y !== undefined || softmax));
  return {
    name,
    task: classes ? 'classification' : 'regression',
    kind: card?.output?.kind ?? (softmax ? 'probabilities' : 'logits'),
  };
}
