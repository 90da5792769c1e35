import { createHash } from 'node:crypto';
import { encodeArtifact } from '@espalier/artifact';
import { activationArena, countModel, type Model, openSession, writeModel } from '@espalier/onnx';
import { positionsKept } from '../channels/cut.js';
import { outputsOf } from '../evaluate.js';
import { obstaclesOf } from '../report/obstacles.js';
import { fidelityOf, pairedQuality } from '../report/quality.js';
import { referenceOf } from '../report/reference.js';
import { type CompressionReport, REPORT_SCHEMA_VERSION } from '../report/report.js';
import { tensorSegments } from '../weights/index.js';
import type { Choices } from '../search/allocate.js';
import { denseWidths, droppedAt, removedAt, type Widths } from '../search/widths.js';
import { samplesFor } from '../statistics/samples.js';
import { achievedGoals, isDear, limitsCost, proposeWidths, widthsAtMacs } from './goals.js';
import { refineChoices } from './refinement.js';
import {
  checkRequest,
  type CompressHooks,
  type CompressRequest,
  type CompressResult,
  type Precision,
} from './request.js';
import { Stopwatch } from './stopwatch.js';
import { makeVariant, type Variant } from './variant.js';
import { openWorkbench, type Workbench } from './workbench.js';

/** Tries at a size, RAM or latency goal that the finished variant missed, each tighter by its miss. */
const TIGHTENINGS = 3;

/** Nats on the gate split below which another allocation is not worth its time. */
const SMALL_LOSS = 0.02;

/** Most neighbours of a proposal that are measured, where proposing is cheap. */
const NEIGHBOURS = 8;

/** Halvings of the search for the smallest variant within an accuracy drop. */
const BISECTIONS = 5;

/** Most points of 100 that int8 may cost on the gate split before `auto` prefers fp32. */
const AUTO_INT8_POINTS = 1;

/**
 * Compresses a model without training: search, cut, refit, and where asked for weight pruning and
 * int8. Uses the calibration data alone; the evaluation data is read once, when all is decided.
 * @throws CompressionError, OnnxError, DatasetError
 */
export async function compress(
  request: CompressRequest,
  hooks: CompressHooks = {},
): Promise<CompressResult> {
  checkRequest(request);
  const watch = new Stopwatch(() => performance.now());
  const bench = await openWorkbench(request, watch, hooks);
  try {
    const variant = await chooseVariant(bench, request, watch, hooks);
    return await finish(bench, variant, request, watch);
  } finally {
    await bench.engine.release();
  }
}

async function chooseVariant(
  bench: Workbench,
  request: CompressRequest,
  watch: Stopwatch,
  hooks: CompressHooks,
): Promise<Variant> {
  if (request.precision !== 'auto')
    return variantFor(bench, request, request.precision, watch, hooks);
  const [fp32, int8] = [
    await variantFor(bench, request, 'fp32', watch, hooks),
    await variantFor(bench, request, 'int8', watch, hooks),
  ];
  const points = 100 * ((fp32.accuracy ?? 0) - (int8.accuracy ?? 0));
  const harmless =
    fp32.accuracy === null ? int8.loss <= 2 * fp32.loss + 0.01 : points <= AUTO_INT8_POINTS;
  const slower =
    request.latency && request.latency(int8.model, 'int8') > request.latency(fp32.model, 'fp32');
  const missed = (variant: Variant): boolean => misses(bench, request, variant) > 1;
  if (missed(fp32) !== missed(int8)) return missed(fp32) ? int8 : fp32;
  return harmless && !slower ? int8 : fp32;
}

/** The variant of one precision: to the cost goals, or as small as the accuracy goal allows. */
async function variantFor(
  bench: Workbench,
  request: CompressRequest,
  precision: Precision,
  watch: Stopwatch,
  hooks: CompressHooks,
): Promise<Variant> {
  const make = (widths: Widths): Promise<Variant> =>
    makeVariant(
      bench,
      { widths, precision, sparsity: request.sparsity ?? 0, isaSafe: request.isaSafe ?? true },
      watch,
      hooks,
    );
  if (limitsCost(request.goals)) {
    const propose = (choices: readonly Choices[], slack: number): Promise<Widths> =>
      watch.time('search', () => proposeWidths(bench, choices, request, precision, slack).widths);
    const first = await propose(bench.choices, 1);
    const plan = { widths: first, precision: 'fp32', sparsity: 0, isaSafe: true } as const;
    const { loss } = await makeVariant(bench, plan, watch, hooks);
    const neighbours = isDear(request.goals) ? 0 : NEIGHBOURS;
    const choices =
      loss < SMALL_LOSS
        ? bench.choices
        : await watch.time('refine', () =>
            refineChoices(bench, (offered) => propose(offered, 1), neighbours, hooks),
          );
    let slack = 1;
    let variant: Variant | undefined;
    for (let attempt = 0; attempt <= TIGHTENINGS; attempt++) {
      variant = await make(await propose(choices, slack));
      const miss = misses(bench, request, variant);
      if (miss <= 1) break;
      slack *= 0.99 / miss;
    }
    if (variant) return variant;
  }
  const drop = request.goals.find(({ name }) => name === 'max-accuracy-drop')?.target;
  return drop === undefined ? make([]) : smallestWithin(bench, drop, make);
}

/** Largest share of any cost goal's target that a finished variant takes. */
function misses(bench: Workbench, request: CompressRequest, variant: Variant): number {
  const cost = request.goals.filter(({ name }) => name !== 'max-accuracy-drop');
  const reached = achievedGoals(cost, measuredOf(bench, request, variant, undefined));
  return reached.reduce((worst, { achieved, target }) => Math.max(worst, achieved / target), 0);
}

function measuredOf(
  bench: Workbench,
  request: CompressRequest,
  variant: Variant,
  accuracyDrop: number | undefined,
): Parameters<typeof achievedGoals>[1] {
  return {
    original: bench.original,
    variant: variant.model,
    bytes: writeModel(variant.model).length,
    latencyMs: request.latency?.(variant.model, variant.plan.precision),
    accuracyDrop,
  };
}

async function smallestWithin(
  bench: Workbench,
  drop: number,
  make: (widths: Widths) => Promise<Variant>,
): Promise<Variant> {
  let best = await make([]);
  const before = best.accuracy;
  let [low, high] = [0.1, 1];
  for (let i = 0; i < BISECTIONS; i++) {
    const ratio = (low + high) / 2;
    const variant = await make(widthsAtMacs(bench, ratio).widths);
    const lost =
      before === null || variant.accuracy === null
        ? 100 * variant.loss
        : 100 * (before - variant.accuracy);
    if (lost <= drop) [best, high] = [variant, ratio];
    else low = ratio;
  }
  return best;
}

/** Writes, encodes, and only then evaluates. */
export async function finish(
  bench: Workbench,
  variant: Variant,
  request: CompressRequest,
  watch: Stopwatch,
): Promise<CompressResult> {
  const bytes = writeModel(variant.model);
  const encoded = await watch.time('encode', () =>
    encodeArtifact(bytes, 'best', tensorSegments(bytes)),
  );
  const artifact = { ...encoded, sha256: sha256(encoded.bytes) };
  const { quality, fidelity, reference } = await watch.time('evaluate', () =>
    evaluateOnce(bench, variant, request),
  );
  const latencyMs = request.latency
    ? {
        predicted: request.latency(variant.model, variant.plan.precision),
        measured: await watch.time('latency', () => measureLatency(bytes, bench)),
        profileSha256: request.profileSha256 ?? null,
      }
    : null;
  const drop = quality ? 100 * (quality.before - quality.after) : undefined;
  const gateDrop = await gateAccuracyDrop(bench, variant);
  const goals = achievedGoals(request.goals, measuredOf(bench, request, variant, drop ?? gateDrop));
  const found: Omit<CompressionReport, 'obstacles'> = {
    schemaVersion: REPORT_SCHEMA_VERSION,
    model: measures(bench.original, request.model),
    variant: {
      ...measures(variant.model, bytes),
      precision: variant.plan.precision,
      numerics: variant.numerics,
      sparsity: request.sparsity ?? 0,
      groups: keptGroups(variant),
      removedBlocks: droppedAt(variant.space, variant.plan.widths).map(({ name }) => name),
      islands: [...variant.islands],
    },
    artifact: {
      sha256: artifact.sha256,
      bytes: artifact.bytes.length,
      encoding: artifact.encoding,
    },
    quality,
    fidelity,
    reference,
    latencyMs,
    goals,
    stages: [...variant.stages],
    sensitivity: bench.groups.map(({ group }, g) => ({
      group: group.name,
      points: (bench.choices[g]?.widths ?? []).map((kept, i) => ({
        kept,
        loss: bench.choices[g]?.losses[i] ?? 0,
      })),
    })),
    seconds: watch.report,
  };
  const report = { ...found, obstacles: obstaclesOf(found, bench.channels.groups) };
  return { model: bytes, artifact, report, goalsMet: goals.every(({ met }) => met) };
}

async function gateAccuracyDrop(bench: Workbench, variant: Variant): Promise<number | undefined> {
  if (variant.accuracy === null || !bench.samples.labels) return undefined;
  const { labels } = bench.samples;
  const truth = bench.gate.map((i) => labels[i] ?? -1);
  const { before } = pairedQuality(bench.gateReference, bench.gateReference, truth, undefined);
  return 100 * (before - variant.accuracy);
}

async function evaluateOnce(
  bench: Workbench,
  variant: Variant,
  request: CompressRequest,
): Promise<Pick<CompressionReport, 'quality' | 'fidelity' | 'reference'>> {
  const settings = { ...bench.settings, output: bench.output.name };
  const dataset = request.evaluation;
  const samples = dataset ? samplesFor(bench.model, dataset, request.card) : bench.samples;
  const indices = dataset ? Array.from({ length: dataset.count }, (_, i) => i) : bench.gate;
  const before = dataset
    ? await outputsOf(bench.original, samples, indices, settings)
    : bench.gateReference;
  const after = await outputsOf(variant.model, samples, indices, settings);
  const labels = dataset?.y;
  const labelled = labels && bench.output.task === 'classification';
  const quality = labelled ? pairedQuality(before, after, labels, request.card?.labels) : null;
  return {
    quality,
    fidelity: fidelityOf(before, after, bench.output),
    reference: referenceOf(samples, indices, after, {
      source: dataset ? 'evaluation' : 'calibration',
      output: bench.output,
      card: request.card,
      accuracy: dataset ? (quality?.after ?? null) : variant.accuracy,
    }),
  };
}

const LATENCY_RUNS = 50;

async function measureLatency(
  bytes: Uint8Array,
  bench: Workbench,
): Promise<{ p50: number; p95: number; threads: number }> {
  const threads = 1;
  const session = await openSession(bytes, { threads });
  try {
    const { samples } = bench;
    const feed = samples.feed(
      Array.from({ length: samples.fixedBatch ? samples.batch : 1 }, () => 0),
    );
    const times: number[] = [];
    for (let i = 0; i < LATENCY_RUNS + 5; i++) {
      const from = performance.now();
      await session.run(feed);
      if (i >= 5) times.push(performance.now() - from);
    }
    times.sort((a, b) => a - b);
    const at = (share: number): number =>
      times[Math.min(times.length - 1, Math.floor(share * times.length))] ?? 0;
    return { p50: at(0.5), p95: at(0.95), threads };
  } finally {
    await session.release();
  }
}

function measures(model: Model, bytes: Uint8Array): CompressionReport['model'] {
  const { params, macs } = countModel(model);
  const { peakRamBytes } = activationArena(model);
  return { sha256: sha256(bytes), bytes: bytes.length, params, macs, peakRamBytes };
}

function keptGroups({ space, plan }: Variant): CompressionReport['variant']['groups'] {
  const widths = plan.widths.length > 0 ? plan.widths : denseWidths(space);
  const removed = removedAt(space, widths);
  return Object.fromEntries(
    space.groups.map(({ group }) => {
      const cut = new Set(
        group.units.filter(({ root }) => removed.has(root)).flatMap(({ positions }) => positions),
      );
      const all = Int32Array.from({ length: group.of }, (_, i) => i);
      return [group.name, { of: group.of, kept: positionsKept(all, (i) => !cut.has(i)) }];
    }),
  );
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
