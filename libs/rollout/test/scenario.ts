import {
  count,
  createRollout,
  step,
  type Decision,
  type Effect,
  type RolloutEvent,
  type RolloutState,
} from '../src/index.js';

const START = Date.parse('2026-01-01T00:00:00Z');
const OLD = 'a'.repeat(64);
export const shaOf = (variantId: string): string =>
  Buffer.from(variantId).toString('hex').padEnd(64, '0').slice(0, 64);

/**
 * Runs a scenario: lines of what happens and what must then be so. Devices are written #1, #2, … in
 * the rollout's own order.
 *
 *   rollout stages=25,100 maxFailed=0.5 minSample=1 soak=0 deadline=60 devices=4 variants=a,b ...
 *   start | pause | resume | promote | abort keep | abort revert | tick | after SECONDS
 *   #1 accepted | downloading | active | active wrong | active unprobed | failed CODE | refused | hello | restored
 *   expect status=halted stage=0 #1=active #2=reverting
 *   expect effects send #1, revert #2, withdraw #3        (since the last expectation of effects)
 *   expect decisions halt, pass                           (outcomes since the last such expectation)
 */
export class Scenario {
  private state: RolloutState | null = null;
  private now = START;
  private effects: Effect[] = [];
  private decisions: Decision[] = [];
  readonly all: Decision[] = [];
  readonly log: { event: RolloutEvent; at: number }[] = [];
  initial: RolloutState | null = null;

  /** Runs one line; throws, naming what differs, when an expectation does not hold. */
  run(line: string): void {
    const [word = '', ...rest] = line.trim().split(/\s+/);
    if (word === 'rollout') return this.create(options(rest));
    if (word === 'expect') return this.expect(rest.join(' '));
    if (word === 'after') {
      this.now += Number(rest[0]) * 1000;
      return this.step({ type: 'tick' });
    }
    if (word.startsWith('#')) return this.report(this.deviceAt(word), rest);
    const by = { by: 'operator', why: 'scenario' };
    switch (word) {
      case 'start':
      case 'pause':
      case 'resume':
      case 'promote':
        return this.step({ type: word, ...by });
      case 'abort':
        return this.step({ type: 'abort', mode: rest[0] === 'revert' ? 'revert' : 'keep', ...by });
      case 'tick':
        return this.step({ type: 'tick' });
      default:
        throw new Error(`No such line: ${line}`);
    }
  }

  private create(given: Record<string, string>): void {
    const variants = (given['variants'] ?? 'a').split(',');
    const previous =
      given['previous'] === 'none'
        ? null
        : { releaseId: 'old', variantId: 'old', modelSha256: OLD };
    this.state = createRollout(
      'scenario',
      {
        stages: (given['stages'] ?? '100')
          .split(',')
          .map((percent) => ({ percent: Number(percent) })),
        gate: {
          maxFailedShare: Number(given['maxFailed'] ?? 0),
          minSample: Number(given['minSample'] ?? 1),
          ...(given['maxMissing'] ? { maxMissingShare: Number(given['maxMissing']) } : {}),
          scope: given['scope'] === 'variant' ? 'variant' : 'rollout',
        },
        soakSeconds: Number(given['soak'] ?? 0),
        deviceDeadlineSeconds: Number(given['deadline'] ?? 60),
        maxAttempts: Number(given['attempts'] ?? 2),
        retrySeconds: Number(given['retry'] ?? 5),
        maxInFlight: Number(given['inFlight'] ?? 100),
      },
      Object.fromEntries(variants.map((id) => [id, { modelSha256: shaOf(id) }])),
      Array.from({ length: Number(given['devices'] ?? 1) }, (_, index) => ({
        deviceId: `device-${index}`,
        variantId: variants[index % variants.length] ?? 'a',
        previous,
      })),
      this.now,
    );
    this.initial = this.state;
  }

  private step(event: RolloutEvent): void {
    const result = step(this.current(), event, this.now);
    this.log.push({ event, at: this.now });
    this.state = result.state;
    this.effects.push(...result.effects);
    this.decisions.push(...result.decisions);
    this.all.push(...result.decisions);
  }

  private report(deviceId: string, words: string[]): void {
    const device = this.current().devices.get(deviceId);
    if (!device) throw new Error(`No device ${deviceId}`);
    const [state = '', detail] = words;
    if (state === 'hello') return this.step({ type: 'hello', deviceId });
    const stale = detail === 'stale';
    const base = {
      type: 'report' as const,
      deviceId,
      attempt: device.attempt - (stale ? 1 : 0),
      loadedSha256: null,
      probe: null,
      failure: null,
    };
    switch (state) {
      case 'accepted':
      case 'downloading':
      case 'installing':
      case 'probing':
        return this.step({ ...base, state });
      case 'active':
      case 'restored': {
        const expected = state === 'restored' ? OLD : shaOf(device.variantId);
        return this.step({
          ...base,
          state: 'active',
          loadedSha256: detail === 'wrong' ? 'f'.repeat(64) : expected,
          probe: detail === 'unprobed' ? null : { finite: detail !== 'infinite' },
        });
      }
      case 'failed':
      case 'refused':
        return this.step({
          ...base,
          state,
          failure: detail && !stale ? { code: detail, message: 'as the scenario says' } : null,
        });
      default:
        throw new Error(`No such report: ${state}`);
    }
  }

  private expect(text: string): void {
    const state = this.current();
    if (text.startsWith('effects')) {
      const wanted = list(text.slice('effects'.length)).map((item) =>
        item.replace(/#\d+/, (name) => this.deviceAt(name)),
      );
      const seen = this.effects.map(({ type, deviceId }) => `${type} ${deviceId}`);
      this.effects = [];
      same('effects', [...wanted].sort(), seen.sort());
      return;
    }
    if (text.startsWith('decisions')) {
      const seen = this.decisions.map((one) => ('outcome' in one ? one.outcome : one.rule));
      this.decisions = [];
      same('decisions', list(text.slice('decisions'.length)), seen);
      return;
    }
    for (const [name, value] of Object.entries(options(text.split(/\s+/)))) {
      if (name === 'status') same('status', value, state.status);
      else if (name === 'stage') same('stage', value, String(state.stage));
      else if (name === 'halted') same('halted', list(value), [...state.haltedVariants]);
      else if (name.startsWith('#')) {
        same(name, value, state.devices.get(this.deviceAt(name))?.status);
      } else {
        const counts: Record<string, number> = count(state, null, null);
        same(name, value, String(counts[name]));
      }
    }
  }

  /** `#2` is the second device in the rollout's order; `#b1` the first of variant b. */
  private deviceAt(name: string): string {
    const [, variantId = '', place = ''] = /^#([a-z]*)(\d+)$/.exec(name) ?? [];
    const devices = [...this.current().devices.values()].filter(
      (device) => variantId === '' || device.variantId === variantId,
    );
    const device = devices[Number(place) - 1];
    if (!device) throw new Error(`No device ${name}`);
    return device.deviceId;
  }

  private current(): RolloutState {
    if (!this.state) throw new Error('A scenario begins with its rollout.');
    return this.state;
  }
}

const list = (text: string): string[] =>
  text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '' && item !== 'none');

const options = (words: string[]): Record<string, string> =>
  Object.fromEntries(
    words.map((word) => {
      const at = word.indexOf('=');
      return [word.slice(0, at), word.slice(at + 1)];
    }),
  );

function same(what: string, wanted: unknown, seen: unknown): void {
  const [a, b] = [JSON.stringify(wanted), JSON.stringify(seen)];
  if (a !== b) throw new Error(`${what}: expected ${a}, got ${b}`);
}
