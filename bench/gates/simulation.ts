import { ChangeComparison, type Labelled } from '@espalier/evidence';
import { errorOf, judgeAccuracy, parseSpec } from '@espalier/rollout';
import { seededRandom } from '@espalier/dataset';

const LABELS_A_REPORT = 5;
/** Stages of 10, 50 and 100 percent; every gate is on, so accuracy has half of the error budget. */
const SPEC = parseSpec({
  stages: [{ percent: 10 }, { percent: 50 }, { percent: 100 }],
  gate: {
    maxFailedShare: 0.1,
    minSample: 1,
    scope: 'variant',
    accuracy: {},
    latency: { maxRatio: 1.5 },
    memory: { maxRatio: 1.5 },
    restarts: { maxPerDevice: 0 },
  },
  soakSeconds: 0,
  deviceDeadlineSeconds: 600,
});
const GATE = SPEC.gate.accuracy ?? { tolerated: 0, intolerable: 0, minLabels: 0, deviceShift: 0 };
const STAGE_SHARES = SPEC.stages.map(({ percent = 100 }) => percent / 100);
const ACCURACY = 0.85;

/** How a simulated fleet is and what becomes of it. */
export interface Setting {
  readonly variants: number;
  /** Devices of each variant that are updated, and that are held back. */
  readonly treated: number;
  readonly controls: number;
  readonly baselineLabels: number;
  /** Reports of each device in each stage. */
  readonly rounds: number;
  /** Correlation of the labels of one device that it always had. */
  readonly correlation: number;
  /** Correlation that arises when the rollout begins: what a device gains or loses by itself. */
  readonly shiftCorrelation: number;
  /** Points of accuracy, as a share, that both arms lose from the first report to the last. */
  readonly drift: number;
  /** What the first variant loses by the update. */
  readonly loss: number;
}

/** What became of one rollout. */
export interface Outcome {
  /** Variants that lost nothing and were stopped. */
  readonly falselyStopped: number;
  /** Whether the variant that lost was stopped, in which stage, after how many labels. */
  readonly stopped: { stage: number; treated: number; control: number } | null;
}

/** One rollout on the pure core, judged after each report of each device. */
export function simulateRollout(setting: Setting, seed: number): Outcome {
  const random = seededRandom(seed);
  let falselyStopped = 0;
  let stopped: Outcome['stopped'] = null;
  for (let variant = 0; variant < setting.variants; variant += 1) {
    const loses = variant === 0 && setting.loss > 0;
    const end = simulateVariant(setting, loses ? setting.loss : 0, () => random.next());
    if (loses) stopped = end;
    else if (end) falselyStopped += 1;
  }
  return { falselyStopped, stopped };
}

interface SimulatedDevice {
  readonly index: number;
  readonly arm: 'treated' | 'control';
  readonly rate: number;
  readonly shift: number;
}

function simulateVariant(setting: Setting, loss: number, random: () => number): Outcome['stopped'] {
  const comparison = new ChangeComparison(GATE.deviceShift);
  const single = ACCURACY * (1 - ACCURACY);
  const make = (arm: SimulatedDevice['arm']): SimulatedDevice => {
    const rate = betaLike(ACCURACY, setting.correlation, random);
    const shift = normal(random) * Math.sqrt(setting.shiftCorrelation * single);
    const before = draw(setting.baselineLabels, rate, random);
    return { index: comparison.addDevice(arm, before), arm, rate, shift };
  };
  const treated = Array.from({ length: setting.treated }, () => make('treated'));
  const controls = Array.from({ length: setting.controls }, () => make('control'));
  const last = STAGE_SHARES.length * setting.rounds;
  for (let stage = 0; stage < STAGE_SHARES.length; stage += 1) {
    const variants = Object.fromEntries(
      Array.from({ length: setting.variants }, (_, at) => [
        `v${at}`,
        { modelSha256: '', expectedAccuracy: null },
      ]),
    );
    const error = errorOf({ spec: SPEC, variants }, stage, 'accuracy');
    const reporting = [
      ...treated.slice(0, Math.ceil(setting.treated * (STAGE_SHARES[stage] ?? 1))),
      ...controls,
    ];
    for (let round = 0; round < setting.rounds; round += 1) {
      const time = stage * setting.rounds + round;
      const drifted = -setting.drift * Math.sin((Math.PI * (time + 1)) / last);
      shuffle(reporting, random);
      for (const { index, arm, rate, shift } of reporting) {
        const now = rate + shift + drifted - (arm === 'treated' ? loss : 0);
        comparison.add(index, time, draw(LABELS_A_REPORT, now, random));
        const estimate = comparison.estimate();
        if (!estimate) continue;
        const verdict = judgeAccuracy({
          compared: 'with-control',
          estimate: estimate.effect,
          variance: estimate.variance,
          labels: estimate.labels,
          devices: estimate.devices,
          stopUnder: -GATE.tolerated,
          passOver: -GATE.intolerable,
          minLabels: GATE.minLabels,
          error,
        });
        if (verdict === 'halt') return { stage, ...estimate.labels };
      }
    }
  }
  return null;
}

function draw(labels: number, rate: number, random: () => number): Labelled {
  let correct = 0;
  for (let at = 0; at < labels; at += 1) if (random() < rate) correct += 1;
  return { labels, correct };
}

/** A rate of the Beta distribution that makes labels correlate by `correlation`. */
function betaLike(mean: number, correlation: number, random: () => number): number {
  if (correlation === 0) return mean;
  const size = 1 / correlation - 1;
  const a = gamma(mean * size, random);
  const b = gamma((1 - mean) * size, random);
  return a / (a + b);
}

/** Marsaglia and Tsang's method; below 1 by the power of a uniform number. */
function gamma(shape: number, random: () => number): number {
  if (shape < 1) return gamma(shape + 1, random) * random() ** (1 / shape);
  const d = shape - 1 / 3;
  const c = 1 / Math.sqrt(9 * d);
  for (;;) {
    const x = normal(random);
    const v = (1 + c * x) ** 3;
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
  }
}

const normal = (random: () => number): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

function shuffle<T>(items: T[], random: () => number): void {
  for (let at = items.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    const [a, b] = [items[at], items[other]];
    if (a === undefined || b === undefined) continue;
    items[at] = b;
    items[other] = a;
  }
}
