import fc from 'fast-check';
import {
  count,
  createRollout,
  headOf,
  placeOf,
  replay,
  restoreRollout,
  rewindRollout,
  step,
  TABLE,
  type Decision,
  type Effect,
  type RolloutEvent,
  type RolloutState,
} from '../src/index.js';

const OLD = 'a'.repeat(64);
const NEW = 'b'.repeat(64);
const BY = { by: 'test', why: 'property' };

interface Setting {
  devices: number;
  percents: number[];
  maxFailedShare: number;
  soakSeconds: number;
  deviceDeadlineSeconds: number;
  maxAttempts: number;
  retrySeconds: number;
  maxInFlight: number;
  scope: 'rollout' | 'variant';
  withPrevious: boolean;
  replan: boolean;
  joinLate: boolean;
  control: { percent: number; release: boolean } | undefined;
  maxPerMinute: number | undefined;
  approval: boolean;
  byEvidence: boolean;
  scheduled: boolean;
}

const settings: fc.Arbitrary<Setting> = fc.record({
  devices: fc.integer({ min: 1, max: 14 }),
  percents: fc
    .uniqueArray(fc.integer({ min: 1, max: 99 }), { maxLength: 3 })
    .map((percents) => [...percents.sort((a, b) => a - b), 100]),
  maxFailedShare: fc.constantFrom(0, 0.2, 0.5, 1),
  soakSeconds: fc.constantFrom(0, 7),
  deviceDeadlineSeconds: fc.constantFrom(5, 30),
  maxAttempts: fc.integer({ min: 1, max: 3 }),
  retrySeconds: fc.constantFrom(0, 3),
  maxInFlight: fc.integer({ min: 1, max: 6 }),
  scope: fc.constantFrom('rollout', 'variant'),
  withPrevious: fc.boolean(),
  replan: fc.boolean(),
  joinLate: fc.boolean(),
  control: fc.option(fc.record({ percent: fc.constantFrom(10, 50), release: fc.boolean() }), {
    nil: undefined,
  }),
  maxPerMinute: fc.option(fc.constantFrom(6, 60), { nil: undefined }),
  approval: fc.boolean(),
  byEvidence: fc.boolean(),
  scheduled: fc.boolean(),
});

/** What happens next: a device answers somehow (or says something old), a person orders, time passes. */
type Move =
  | { kind: 'report'; device: number; state: string; loaded: string; lag: number }
  | { kind: 'order'; order: string }
  | { kind: 'join'; device: number }
  | { kind: 'measure'; even: number | null; odd: number | null; labels: number }
  | { kind: 'wait'; seconds: number };

const moves: fc.Arbitrary<Move[]> = fc.array(
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc.record({
        kind: fc.constant('report' as const),
        device: fc.nat(15),
        state: fc.constantFrom(
          'accepted',
          'downloading',
          'probing',
          'active',
          'active',
          'failed',
          'refused',
          'hello',
        ),
        loaded: fc.constantFrom('right', 'right', 'right', 'wrong', 'old'),
        lag: fc.constantFrom(0, 0, 0, 1, -1),
      }),
    },
    {
      weight: 2,
      arbitrary: fc.record({
        kind: fc.constant('order' as const),
        order: fc.constantFrom(
          'start',
          'pause',
          'resume',
          'resume',
          'promote',
          'approve',
          'approve',
          'keep',
          'revert',
        ),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('join' as const), device: fc.nat(20) }),
    },
    {
      weight: 3,
      arbitrary: fc.record({
        kind: fc.constant('measure' as const),
        even: fc.constantFrom(null, 0, 0, -0.1),
        odd: fc.constantFrom(null, 0, 0, -0.03),
        labels: fc.constantFrom(20, 500, 20_000),
      }),
    },
    {
      weight: 6,
      arbitrary: fc.record({
        kind: fc.constant('wait' as const),
        seconds: fc.constantFrom(0, 1, 4, 20),
      }),
    },
  ),
  { maxLength: 120 },
);

const begin = (setting: Setting): RolloutState =>
  createRollout(
    'property',
    {
      stages: setting.percents.map((percent, index) => ({
        percent,
        approval: setting.approval && index === 1,
      })),
      gate: {
        maxFailedShare: setting.maxFailedShare,
        minSample: 1,
        scope: setting.scope,
        waitSeconds: 50,
        ...(setting.byEvidence ? { accuracy: {}, latency: { maxP95Ms: 5 } } : {}),
      },
      control: setting.control,
      maxPerMinute: setting.maxPerMinute,
      joinLate: setting.joinLate,
      replan: setting.replan,
      approvalSeconds: 100,
      holdSeconds: 200,
      holdEnds: setting.withPrevious ? 'revert' : 'keep',
      schedule: setting.scheduled
        ? [
            { at: new Date(20_000).toISOString(), order: 'pause' },
            { at: new Date(30_000).toISOString(), order: 'resume' },
          ]
        : [],
      soakSeconds: setting.soakSeconds,
      deviceDeadlineSeconds: setting.deviceDeadlineSeconds,
      maxAttempts: setting.maxAttempts,
      retrySeconds: setting.retrySeconds,
      maxInFlight: setting.maxInFlight,
    },
    {
      even: { modelSha256: NEW, expectedAccuracy: null },
      odd: { modelSha256: NEW, expectedAccuracy: null },
    },
    Array.from({ length: setting.devices }, (_, index) => ({
      deviceId: `device-${index}`,
      variantId: index % 2 === 0 ? 'even' : 'odd',
      previous: setting.withPrevious
        ? { releaseId: 'old', variantId: 'old', modelSha256: OLD }
        : null,
      alternatives: index % 3 === 0 ? [] : ['even', 'odd'],
    })),
    0,
  );

function eventOf(move: Exclude<Move, { kind: 'wait' }>, state: RolloutState): RolloutEvent {
  if (move.kind === 'join') {
    const deviceId = `device-${move.device}`;
    return { type: 'join', member: { deviceId, variantId: 'even', previous: null } };
  }
  if (move.kind === 'measure') {
    const of = (effect: number | null) =>
      effect === null
        ? {}
        : {
            accuracy: {
              compared: 'with-control' as const,
              effect,
              variance: 0.25 / move.labels,
              labels: { treated: move.labels, control: move.labels },
              devices: { treated: 2, control: 2 },
            },
            latency: { over: effect < -0.05 ? 1 : 0, within: 1, unknown: 0 },
          };
    return { type: 'tick', evidence: { even: of(move.even), odd: of(move.odd) } };
  }
  if (move.kind === 'order') {
    const { order } = move;
    if (order === 'keep' || order === 'revert') return { type: 'abort', mode: order, ...BY };
    return { type: order as 'start' | 'pause' | 'resume' | 'promote' | 'approve', ...BY };
  }
  const deviceId = `device-${move.device}`;
  if (move.state === 'hello') return { type: 'hello', deviceId };
  const loaded = { right: NEW, wrong: 'c'.repeat(64), old: OLD }[move.loaded] ?? null;
  return {
    type: 'report',
    deviceId,
    attempt: (state.devices.get(deviceId)?.attempt ?? 0) - move.lag,
    state: move.state as 'accepted',
    loadedSha256: loaded,
    probe: { finite: true },
    failure: null,
  };
}

/** Carries a rollout through what happens, checking every step. */
class Run {
  state: RolloutState;
  now = 0;
  readonly effects: Effect[] = [];
  readonly decisions: Decision[] = [];
  readonly begun: number[] = [];
  readonly log: { event: RolloutEvent; at: number }[] = [];

  constructor(readonly initial: RolloutState) {
    this.state = initial;
  }

  take(event: RolloutEvent): void {
    const before = this.state;
    const result = step(before, event, this.now);
    if (!result.quiet) this.log.push({ event, at: this.now });
    this.state = result.state;
    this.effects.push(...result.effects);
    for (const { type } of result.effects) if (type === 'send') this.begun.push(this.now);
    this.decisions.push(...result.decisions);
    this.check(before, result.changed);
  }

  wait(seconds: number): void {
    this.now += seconds * 1000;
    this.take({ type: 'tick' });
  }

  /** No stage begins more devices than its percent allows. */
  private checkStages(): void {
    const { spec, devices } = this.state;
    const updates = [...devices.values()].filter(({ stage }) => stage < spec.stages.length);
    spec.stages.forEach(({ percent = 100 }, index) => {
      const upTo = updates.filter(({ stage }) => stage <= index).length;
      expect(upTo).toBeLessThanOrEqual(Math.ceil((percent * updates.length) / 100));
    });
  }

  /** Within any minute no more devices begin than the rate and one burst allow. */
  private checkRate(): void {
    const { maxPerMinute } = this.state.spec;
    if (maxPerMinute === undefined) return;
    const lately = this.begun.filter((at) => at > this.now - 60_000).length;
    expect(lately).toBeLessThanOrEqual(maxPerMinute + Math.max(1, maxPerMinute / 10));
  }

  private check(before: RolloutState, changed: ReadonlySet<string>): void {
    const { state } = this;
    const { spec } = state;
    expect(restoreRollout(headOf(state), state.devices.values()).tally).toEqual(state.tally);
    const counts = count(state, null, null);
    expect(counts.sent + counts.working).toBeLessThanOrEqual(spec.maxInFlight);
    expect(state.stage).toBeGreaterThanOrEqual(before.stage);
    this.checkStages();
    this.checkRate();
    if (TABLE.rollout.terminal.includes(before.status)) expect(state.status).toBe(before.status);
    for (const [deviceId, device] of state.devices) {
      const was = before.devices.get(deviceId);
      expect(changed.has(deviceId)).toBe(was !== device);
      expect(device.tries).toBeLessThanOrEqual(spec.maxAttempts);
      const touched = !['waiting', 'control', 'cancelled'].includes(device.status);
      if (touched) expect(device.stage).toBeLessThanOrEqual(state.stage);
      const atWork = ['sent', 'working', 'backoff', 'reverting'].includes(device.status);
      if (atWork) expect(device.deadlineAt).not.toBeNull();
    }
  }
}

function carry(setting: Setting, happens: Move[]): Run {
  const run = new Run(begin(setting));
  run.take({ type: 'start', ...BY });
  for (const move of happens) {
    if (move.kind === 'wait') run.wait(move.seconds);
    else run.take(eventOf(move, run.state));
  }
  return run;
}

describe('a rollout, whatever happens in whatever order', () => {
  it('keeps every status legal, its stages closed, its slots and tries bounded', () => {
    fc.assert(
      fc.property(settings, moves, (setting, happens) => {
        carry(setting, happens);
      }),
      { numRuns: 300, seed: 5 },
    );
  });

  it('always ends by itself, with nothing left under way', () => {
    fc.assert(
      fc.property(settings, moves, (setting, happens) => {
        const run = carry(setting, happens);
        const longest = 400 + setting.devices * setting.maxAttempts * 40;
        for (let at = 0; at < longest; at += 1) {
          if (TABLE.rollout.terminal.includes(run.state.status)) break;
          run.wait(10);
        }
        expect(TABLE.rollout.terminal).toContain(run.state.status);
        run.wait(setting.deviceDeadlineSeconds);
        const left = count(run.state, null, null);
        expect(left.sent + left.working + left.backoff + left.reverting).toBe(0);
        expect(left.waiting + left.control).toBe(0);
      }),
      { numRuns: 120, seed: 7 },
    );
  });

  it('replays from its log to the same state and decisions', () => {
    fc.assert(
      fc.property(settings, moves, (setting, happens) => {
        const run = carry(setting, happens);
        const again = replay(run.initial, run.log);
        expect(again.decisions).toEqual(run.decisions);
        expect(again.state).toEqual(run.state);
        expect(replay(rewindRollout(run.state), run.log).decisions).toEqual(run.decisions);
      }),
      { numRuns: 120, seed: 6 },
    );
  });

  it('says nothing of success for a device that did not load what it was sent', () => {
    fc.assert(
      fc.property(settings, moves, (setting, happens) => {
        const wrong = happens.map((move) =>
          move.kind === 'report' ? { ...move, loaded: 'wrong' } : move,
        );
        const run = carry(setting, wrong);
        expect(count(run.state, null, null).active).toBe(0);
        expect(count(run.state, null, null).reverted).toBe(0);
      }),
      { seed: 7 },
    );
  });

  it('counts every order once: each effect has an attempt of its own', () => {
    fc.assert(
      fc.property(settings, moves, (setting, happens) => {
        const run = carry(setting, happens);
        const orders = run.effects.flatMap((effect) =>
          effect.type === 'withdraw' ? [] : [`${effect.deviceId}/${effect.attempt}`],
        );
        expect(new Set(orders).size).toBe(orders.length);
      }),
      { seed: 7 },
    );
  });
});

describe('stages', () => {
  it('hold each device once, as many as the percent says, whatever the order of the list', () => {
    fc.assert(
      fc.property(settings, (setting) => {
        const state = begin(setting);
        const reversed = createRollout(
          'property',
          state.spec,
          state.variants,
          [...state.devices.values()].reverse(),
          0,
        );
        expect([...reversed.devices.keys()]).toEqual([...state.devices.keys()]);
        setting.percents.forEach((percent, index) => {
          const upTo = [...state.devices.values()].filter(({ stage }) => stage <= index).length;
          const updates = [...state.devices.values()].filter(
            ({ stage }) => stage < setting.percents.length,
          );
          expect(upTo).toBe(Math.ceil((percent * updates.length) / 100));
        });
      }),
      { seed: 7 },
    );
  });

  it('begin with other devices in another rollout', () => {
    const first = (rolloutId: string): string =>
      Array.from({ length: 50 }, (_, index) => `device-${index}`).sort((a, b) =>
        placeOf(rolloutId, a) < placeOf(rolloutId, b) ? -1 : 1,
      )[0]!;
    expect(
      new Set(Array.from({ length: 20 }, (_, index) => first(`r${index}`))).size,
    ).toBeGreaterThan(5);
  });
});

describe('a specification', () => {
  const good = {
    stages: [{ percent: 50 }, { percent: 100 }],
    gate: { maxFailedShare: 0.1, minSample: 1 },
    soakSeconds: 0,
    deviceDeadlineSeconds: 60,
  };
  const create = (spec: unknown): RolloutState =>
    createRollout(
      'spec',
      spec as typeof good,
      { v: { modelSha256: NEW, expectedAccuracy: null } },
      ['one', 'two', 'three'].map((deviceId) => ({ deviceId, variantId: 'v', previous: null })),
      0,
    );
  const refused: [string, unknown, string][] = [
    [
      'a threshold that is no number',
      { ...good, gate: { maxFailedShare: '10%', minSample: 1 } },
      'ROLLOUT_SPEC',
    ],
    [
      'a threshold that is misspelt',
      { ...good, gate: { maxFailShare: 0.1, minSample: 1 } },
      'ROLLOUT_SPEC',
    ],
    ['a share over 1', { ...good, gate: { maxFailedShare: 10, minSample: 1 } }, 'ROLLOUT_SPEC'],
    ['no deadline', { ...good, deviceDeadlineSeconds: undefined }, 'ROLLOUT_SPEC'],
    [
      'stages that do not rise',
      { ...good, stages: [{ percent: 50 }, { percent: 50 }, { percent: 100 }] },
      'ROLLOUT_STAGES',
    ],
    ['stages that leave devices out', { ...good, stages: [{ percent: 90 }] }, 'ROLLOUT_STAGES'],
    [
      'a sample that no stage can reach',
      { ...good, gate: { maxFailedShare: 0.1, minSample: 2 } },
      'ROLLOUT_SAMPLE_UNREACHABLE',
    ],
  ];
  for (const [what, spec, code] of refused) {
    it(`with ${what} is refused when it is written`, () => {
      expect(() => create(spec)).toThrow(expect.objectContaining({ code }));
    });
  }

  it('needs a device, each once, with a variant of the release', () => {
    const make = (deviceIds: string[], variantId: string) => () =>
      createRollout(
        'spec',
        good,
        { v: { modelSha256: NEW, expectedAccuracy: null } },
        deviceIds.map((deviceId) => ({ deviceId, variantId, previous: null })),
        0,
      );
    expect(make([], 'v')).toThrow(expect.objectContaining({ code: 'ROLLOUT_EMPTY' }));
    expect(make(['a', 'a'], 'v')).toThrow(
      expect.objectContaining({ code: 'ROLLOUT_DEVICE_REPEATED' }),
    );
    expect(make(['a', 'b'], 'w')).toThrow(
      expect.objectContaining({ code: 'ROLLOUT_VARIANT_UNKNOWN' }),
    );
  });
});
