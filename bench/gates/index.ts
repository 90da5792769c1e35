import { z } from 'zod';
import { BenchError, type Benchmark } from '../benchmark.js';
import { simulateRollout, type Outcome, type Setting } from './simulation.js';

const FIRST_SEED = 20_000;

/** A fleet of 704 devices: of each of 4 variants 160 to update, a tenth first, and 16 held back. */
export const FLEET: Setting = {
  variants: 4,
  treated: 160,
  controls: 16,
  baselineLabels: 200,
  rounds: 15,
  correlation: 0.1,
  shiftCorrelation: 0,
  drift: 0.08,
  loss: 0,
};

/** Each says what is simulated, and how it differs from {@link FLEET}. */
export const SCENARIOS: Readonly<Record<string, Partial<Setting>>> = {
  'no loss': {},
  'a loss of 10 points in one variant': { loss: 0.1 },
  'no loss, half of the correlation arises in the rollout': {
    correlation: 0.05,
    shiftCorrelation: 0.05,
  },
  'no loss, 20 devices of a variant to update and 8 held back, the same': {
    treated: 20,
    controls: 8,
    correlation: 0.05,
    shiftCorrelation: 0.05,
  },
};

const documentSchema = z.array(
  z.strictObject({
    scenario: z.string(),
    runs: z.number().int(),
    /** Share of rollouts in which a variant was stopped that had lost nothing. */
    falselyStopped: z.number(),
    /** Share of rollouts in which the variant that lost was stopped; null: none lost. */
    stopped: z.number().nullable(),
    stoppedInFirstStage: z.number().nullable(),
    medianLabels: z.strictObject({ treated: z.number(), control: z.number() }).nullable(),
    seconds: z.number(),
  }),
);

export const benchmark: Benchmark<z.infer<typeof documentSchema>> = {
  about: 'rollouts stopped rightly and wrongly by the accuracy gate, on the pure core',
  options: { runs: { type: 'string', default: '2000' } },
  document: documentSchema,
  async run({ values, note }) {
    const runs = Number(values['runs']);
    if (!Number.isInteger(runs) || runs < 1) {
      throw new BenchError('BENCH_USAGE', `--runs ${String(values['runs'])}: it must be a number.`);
    }
    return Object.entries(SCENARIOS).map(([scenario, change]) => {
      const from = performance.now();
      const setting = { ...FLEET, ...change };
      const outcomes = Array.from({ length: runs }, (_, run) =>
        simulateRollout(setting, FIRST_SEED + run),
      );
      const row = { scenario, ...summary(outcomes, setting.loss > 0) };
      note(`${scenario}: ${JSON.stringify(row)}`);
      return { ...row, seconds: (performance.now() - from) / 1000 };
    });
  },
};

/** Shares over rollouts, and the median of the labels that a rightful stop took. */
export function summary(outcomes: readonly Outcome[], lossy: boolean) {
  const runs = outcomes.length;
  const share = (of: (outcome: Outcome) => boolean): number => outcomes.filter(of).length / runs;
  const stops = outcomes.flatMap(({ stopped }) => (stopped ? [stopped] : []));
  const median = (of: (stop: (typeof stops)[number]) => number): number =>
    stops.map(of).sort((a, b) => a - b)[Math.floor(stops.length / 2)] ?? 0;
  return {
    runs,
    falselyStopped: share(({ falselyStopped }) => falselyStopped > 0),
    stopped: lossy ? share(({ stopped }) => stopped !== null) : null,
    stoppedInFirstStage: lossy ? share(({ stopped }) => stopped?.stage === 0) : null,
    medianLabels:
      stops.length > 0
        ? { treated: median(({ treated }) => treated), control: median(({ control }) => control) }
        : null,
  };
}
