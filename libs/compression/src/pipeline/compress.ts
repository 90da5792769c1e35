import { createHash } from 'node:crypto';
import { encodeArtifact } from '@espalier/artifact';
import { activationArena, countModel, type Model, openSession, writeModel } from '@espalier/onnx';
import { positionsKept } from '../channels/cut.js';
import { outputsOf } from '../evaluate.js';
import { obstaclesOf } from '../report/obstacles.js';
import { fidelityOf, pairedQuality } from '../report/quality.js';
import { referenceOf } from '../report/reference.js';
import { type CompressionReport, REPORT_SCHEMA_VERSION } from '../report/report.js';
import { sharedSamples, warningsOf } from '../report/warnings.js';
import { tensorSegments } from '../weights/index.js';
import { denseWidths, droppedAt, removedAt } from '../search/widths.js';
import { samplesFor } from '../statistics/samples.js';
import { chooseVariant, measuredOf } from './choose-variant.js';
import { achievedGoals } from './goals.js';
import {
  checkRequest,
  type CompressHooks,
  type CompressRequest,
  type CompressResult,
} from './request.js';
import { Stopwatch } from './stopwatch.js';
import type { Variant } from './variant.js';
import { walkedFront } from './walked-front.js';
import { openWorkbench, type Workbench } from './workbench.js';

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
    const chosen = await chooseVariant(bench, request, watch, hooks);
    const front = await watch.time('front', () => walkedFront(bench, chosen));
    return await finish(bench, chosen.variant, request, watch, front);
  } finally {
    await bench.engine.release();
  }
}

/**
 * Writes, encodes, and only then evaluates.
 * @param front that the search walked; null for a variant of a front that is reported as a whole
 */
export async function finish(
  bench: Workbench,
  variant: Variant,
  request: CompressRequest,
  watch: Stopwatch,
  front: CompressionReport['front'],
): Promise<CompressResult> {
  const bytes = writeModel(variant.model);
  const encoded = await watch.time('encode', () =>
    encodeArtifact(bytes, 'best', tensorSegments(bytes)),
  );
  const artifact = { ...encoded, sha256: sha256(encoded.bytes) };
  const { quality, fidelity, reference, warnings } = await watch.time('evaluate', () =>
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
    warnings,
    stages: [...variant.stages],
    sensitivity: bench.groups.map(({ group }, g) => ({
      group: group.name,
      points: (bench.choices[g]?.widths ?? []).map((kept, i) => ({
        kept,
        loss: bench.choices[g]?.losses[i] ?? 0,
      })),
    })),
    front,
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
): Promise<Pick<CompressionReport, 'quality' | 'fidelity' | 'reference' | 'warnings'>> {
  const settings = { ...bench.settings, output: bench.output.name };
  const dataset = request.evaluation;
  const samples = dataset ? samplesFor(bench.model, dataset, request.card) : bench.samples;
  const indices = dataset ? Array.from({ length: dataset.count }, (_, i) => i) : bench.gate;
  const before = dataset
    ? await outputsOf(bench.original, samples, indices, settings)
    : bench.gateReference;
  const after = await outputsOf(variant.model, samples, indices, settings);
  const labels = dataset?.y;
  const classifies = bench.output.task === 'classification';
  const labelled = labels && classifies;
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
    warnings: [
      ...sharedSamples(request.calibration, dataset),
      ...(classifies ? gateWarnings(bench) : []),
      ...(classifies && dataset ? warningsOf(before, labels, 'evaluation samples') : []),
    ],
  };
}

function gateWarnings({ gateReference, gate, samples: { labels } }: Workbench): string[] {
  const truth = labels && gate.map((i) => labels[i] ?? -1);
  return warningsOf(gateReference, truth, 'held-back calibration samples');
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
