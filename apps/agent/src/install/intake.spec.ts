import { rootSchema, type TargetMessage } from '@espalier/protocol';
import { payloadBytes } from '@espalier/trust';
import fc from 'fast-check';
import { emptyState, type AgentState } from '../store/agent-state.js';
import { Authority, type TargetSpec } from '../../test/authority.js';
import { takeTarget, type Intake } from './intake.js';

const authority = new Authority();
const model = Buffer.from('a model');
const spec = (generation: number, changes: Partial<TargetSpec> = {}): TargetSpec => ({
  model,
  generation,
  encoding: 'identity',
  ...changes,
});
const messageOf = (generation: number, changes: Partial<TargetSpec> = {}, device = 'cam-1') =>
  authority.message(device, spec(generation, changes), model);

const fresh = (): AgentState => emptyState(authority.root());

function take(message: TargetMessage, state = fresh(), clockMs = Date.now()): Intake {
  const root = rootSchema.parse(JSON.parse(Buffer.from(payloadBytes(state.root)).toString()));
  return takeTarget(message, state, { deviceId: 'cam-1', root, clockMs, overBudget: () => null });
}

const after = (state: AgentState, intake: Intake): AgentState => ({
  ...state,
  ...('changes' in intake ? intake.changes : {}),
  ...(intake.kind === 'new' ? { install: intake.install } : {}),
});
const failureOf = (intake: Intake) =>
  intake.kind === 'new'
    ? intake.install.failure?.code
    : intake.kind === 'dropped'
      ? intake.failure.code
      : undefined;

describe('an offered target', () => {
  it('is accepted when all of it is signed, current and this device’s', () => {
    const intake = take(messageOf(1));
    expect(intake).toMatchObject({
      kind: 'new',
      install: { generation: 1, state: 'accepted', variant: { id: 'v1' } },
      changes: { generation: 1, epoch: 1 },
    });
  });

  it('is as if it had not come when it is another’s, or any document is signed by another', () => {
    expect(failureOf(take(messageOf(1, {}, 'cam-2')))).toBe('TARGET_DEVICE');
    const stranger = new Authority().message('cam-1', spec(1), model);
    const own = messageOf(1);
    for (const part of ['root', 'timestamp', 'target', 'release'] as const) {
      const forged = take({ ...own, [part]: stranger[part] });
      expect(forged).toMatchObject({ kind: 'dropped', failure: { code: 'TRUST_THRESHOLD' } });
    }
    const manifest = authority.message('cam-1', spec(1), Buffer.from('other')).manifest;
    expect(take({ ...own, manifest })).toMatchObject({
      kind: 'dropped',
      failure: { code: 'TARGET_MANIFEST' },
    });
  });

  it('is refused with its reason when it is authentic and cannot be taken', () => {
    expect(failureOf(take(messageOf(1, { expires: '2020-01-01T00:00:00Z' })))).toBe(
      'TRUST_EXPIRED',
    );
    expect(failureOf(take(messageOf(1, { epoch: 1 }), { ...fresh(), epoch: 2 }))).toBe(
      'TRUST_ROLLBACK',
    );
  });

  it('does not come back to life when the clock is set back', () => {
    const later = after(fresh(), take(messageOf(1)));
    const expired = messageOf(2, { expires: new Date(later.latestTimeMs - 1).toISOString() });
    expect(failureOf(take(expired, later, Date.parse('2000-01-01')))).toBe('TRUST_EXPIRED');
  });

  it('is served from no old timestamp', () => {
    const old = messageOf(2);
    const state = after(fresh(), take(messageOf(1)));
    expect(failureOf(take(old, state))).toBe('TRUST_ROLLBACK');
  });

  it('may come again, and changes nothing that was begun', () => {
    const state = after(fresh(), take(messageOf(1)));
    const begun = { ...state, install: { ...state.install!, state: 'downloading' as const } };
    expect(take(messageOf(1), begun)).toMatchObject({ kind: 'known', settled: false });
    const done = { ...state, install: { ...state.install!, state: 'active' as const } };
    expect(take(messageOf(1), done)).toMatchObject({ kind: 'known', settled: true });
  });

  it('never lets generation, epoch or time fall, in whatever order targets come', () => {
    const offers = fc.array(
      fc.record({
        generation: fc.integer({ min: 1, max: 5 }),
        epoch: fc.integer({ min: 1, max: 4 }),
      }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(offers, fc.boolean(), (list, reverse) => {
        const messages = list.map(({ generation, epoch }) => messageOf(generation, { epoch }));
        let state = fresh();
        for (const message of reverse ? messages.reverse() : messages) {
          const next = after(state, take(message, state));
          for (const counter of [
            'generation',
            'epoch',
            'timestampVersion',
            'latestTimeMs',
          ] as const) {
            expect(next[counter]).toBeGreaterThanOrEqual(state[counter]);
          }
          expect(next.install?.generation ?? 0).toBe(next.generation);
          state = next;
        }
      }),
      { seed: 7, numRuns: 40 },
    );
  });
});
