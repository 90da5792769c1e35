import {
  createRollout,
  EvidenceLedger,
  step,
  type Decision,
  type MeasuredWindow,
  type RolloutEvent,
  type RolloutSpecInput,
  type RolloutState,
} from '../src/index.js';

const OLD = 'a'.repeat(64);
const NEW = 'b'.repeat(64);
const MINUTE = 60_000;
const START = 1_000 * MINUTE;

/** A fleet whose devices measure the same each minute; accuracy and latency as told. */
class Field {
  state: RolloutState;
  now = START;
  readonly ledger = new EvidenceLedger('rel');
  readonly decisions: Decision[] = [];

  constructor(
    gate: object,
    spec: Partial<RolloutSpecInput> = {},
    private readonly previous = true,
  ) {
    this.state = createRollout(
      'field',
      {
        stages: [{ percent: 50 }, { percent: 100 }],
        gate: { maxFailedShare: 0, minSample: 1, scope: 'variant', waitSeconds: 7200, ...gate },
        soakSeconds: 0,
        deviceDeadlineSeconds: 600,
        ...spec,
      },
      {
        good: { modelSha256: NEW, expectedAccuracy: 0.9 },
        poor: { modelSha256: NEW, expectedAccuracy: 0.9 },
      },
      Array.from({ length: 16 }, (_, index) => ({
        deviceId: `device-${index}`,
        variantId: index % 2 === 0 ? 'good' : 'poor',
        previous: previous ? { releaseId: 'old', variantId: 'old', modelSha256: OLD } : null,
      })),
      START - 100 * MINUTE,
    );
    this.take({ type: 'start', by: 'test', why: 'test' });
    if (!previous) return;
    for (let at = -60; at < 0; at += 1) {
      for (const { deviceId } of this.state.devices.values()) {
        this.window(deviceId, START + at * MINUTE, 'old', OLD, 0.9, 10);
      }
    }
  }

  /** A minute passes: every device serves, and what was sent a target reports success. */
  minute(
    accuracy: Record<string, number>,
    latencyMs: Record<string, number> = {},
    drift = 0,
  ): void {
    for (const { deviceId, status, attempt } of [...this.state.devices.values()]) {
      if (status !== 'sent') continue;
      this.take({
        type: 'report',
        deviceId,
        attempt,
        state: 'active',
        loadedSha256: NEW,
        probe: { finite: true },
        failure: null,
      });
    }
    this.now += MINUTE;
    for (const { deviceId, variantId, status } of this.state.devices.values()) {
      const updated = status === 'active';
      if (updated) {
        const rate = (accuracy[variantId] ?? 0.9) - drift;
        this.window(deviceId, this.now, variantId, NEW, rate, latencyMs[variantId] ?? 10);
      } else if (this.previous) {
        this.window(deviceId, this.now, 'old', OLD, 0.9 - drift, 10);
      }
    }
    this.take({ type: 'tick', evidence: this.ledger.evidence(this.state) });
  }

  private take(event: RolloutEvent): void {
    const result = step(this.state, event, this.now);
    this.state = result.state;
    this.decisions.push(...result.decisions);
  }

  private window(
    deviceId: string,
    to: number,
    variantId: string,
    modelSha256: string,
    rate: number,
    latencyP95Ms: number,
  ): void {
    const window: MeasuredWindow = {
      deviceId,
      releaseId: variantId === 'old' ? 'old' : 'rel',
      variantId,
      modelSha256,
      from: to - MINUTE,
      to,
      labelled: 40,
      correct: 40 * rate,
      latencyP95Ms,
      rssBytes: 2 ** 20,
      restarts: 0,
    };
    this.ledger.take(window, this.state);
  }

  outcomes(rule: string): string[] {
    return this.decisions.flatMap((one) =>
      one.rule === rule && 'variantId' in one && 'outcome' in one
        ? [`${String(one.variantId)} ${one.outcome}`]
        : [],
    );
  }
}

const until = (done: () => boolean, minute: () => void): void => {
  for (let at = 0; at < 100 && !done(); at += 1) minute();
  expect(done()).toBe(true);
};

describe('a rollout that is fed what its devices measure', () => {
  it('stops the variant that loses ten points in the first stage, and finishes the other', () => {
    const field = new Field({ accuracy: {} }, { control: { percent: 25 } });
    until(
      () => field.state.haltedVariants.length > 0,
      () => field.minute({ poor: 0.8 }),
    );
    expect(field.state.haltedVariants).toEqual(['poor']);
    expect(field.state.stage).toBe(0);
    until(
      () => field.state.status !== 'running',
      () => field.minute({}),
    );
    expect(field.state.status).toBe('completed');
    expect(field.outcomes('accuracy')[0]).toBe('poor halt');
    expect(field.outcomes('accuracy').slice(1)).toEqual(['good pass', 'good pass']);
  });

  it('lets both pass when both lose alike to a drift that the controls show too', () => {
    let drift = 0;
    const field = new Field({ accuracy: {} }, { control: { percent: 25 } });
    until(
      () => field.state.status !== 'running',
      () => {
        drift = Math.min(0.2, drift + 0.01);
        field.minute({}, {}, drift);
      },
    );
    expect(field.state.status).toBe('completed');
    expect(field.outcomes('accuracy')).not.toContain('poor halt');
  });

  it('judges by the report’s accuracy where there is no control, and says so', () => {
    const field = new Field({ accuracy: {} }, {}, false);
    until(
      () => field.state.haltedVariants.length > 0,
      () => field.minute({ poor: 0.4 }),
    );
    const halt = field.decisions.find((one) => one.rule === 'accuracy' && one.outcome === 'halt');
    expect(halt).toMatchObject({
      variantId: 'poor',
      numbers: { compared: 'no-control', stopUnder: 0.89 },
    });
  });

  it('stops a variant whose devices grow slower than they were themselves', () => {
    const field = new Field({ latency: { maxRatio: 1.5 } });
    until(
      () => field.state.haltedVariants.length > 0,
      () => field.minute({}, { poor: 20 }),
    );
    expect(field.outcomes('latency')).toContain('poor halt');
    until(
      () => field.state.status !== 'running',
      () => field.minute({}),
    );
    expect(field.outcomes('latency')).toContain('good pass');
  });

  it('counts nothing of a device from before its success, nor of another release', () => {
    const field = new Field({ accuracy: {} }, { control: { percent: 25 } });
    field.minute({});
    const device = [...field.state.devices.values()].find(({ status }) => status === 'active')!;
    const before = field.ledger.evidence(field.state);
    const window: MeasuredWindow = {
      deviceId: device.deviceId,
      releaseId: 'rel',
      variantId: device.variantId,
      modelSha256: NEW,
      from: device.since - 1,
      to: field.now,
      labelled: 1_000,
      correct: 0,
      latencyP95Ms: 1,
      rssBytes: 1,
      restarts: 0,
    };
    field.ledger.take(window, field.state);
    field.ledger.take({ ...window, from: field.now, releaseId: 'another' }, field.state);
    field.ledger.take({ ...window, deviceId: 'stranger' }, field.state);
    expect(field.ledger.evidence(field.state)).toEqual(before);
  });
});
