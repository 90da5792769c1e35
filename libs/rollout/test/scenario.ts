import {
  count,
  createRollout,
  step,
  type Decision,
  type Effect,
  type RolloutEvent,
  type RolloutSpecInput,
  type RolloutState,
  type VariantEvidence,
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
 *   stages=25,3n!,place:4,100 control=20 perMinute=60 join=late replan=yes accuracy=600 schedule=10:start
 *   start | approve | pause | resume | promote | abort keep | abort revert | tick | after SECONDS
 *   #1 accepted | downloading | active | active wrong | active unprobed | failed CODE | refused | hello | restored
 *   measured a=-10/600 b=slow:3/4 | join id=late variant=a place=4
 *   expect variant-of-#1=b stage-of-late=1
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
    if (word === 'measured') return this.measure(rest);
    if (word === 'join') return this.join(options(rest));
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
      case 'approve':
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
        stages: (given['stages'] ?? '100').split(',').map(stageOf),
        ...(given['control']
          ? {
              control: {
                percent: parseFloat(given['control']),
                release: !given['control'].endsWith('kept'),
              },
            }
          : {}),
        ...(given['perMinute'] ? { maxPerMinute: Number(given['perMinute']) } : {}),
        ...(given['hold'] ? { holdSeconds: Number(given['hold']) } : {}),
        ...(given['approve'] ? { approvalSeconds: Number(given['approve']) } : {}),
        joinLate: given['join'] === 'late',
        replan: given['replan'] === 'yes',
        schedule: list(given['schedule'] ?? '').map((item) => {
          const [at = '', order = ''] = item.split(':');
          return {
            at: new Date(START + Number(at) * 1000).toISOString(),
            order: order as 'start',
          };
        }),
        gate: {
          maxFailedShare: Number(given['maxFailed'] ?? 0),
          minSample: Number(given['minSample'] ?? 1),
          ...(given['maxMissing'] ? { maxMissingShare: Number(given['maxMissing']) } : {}),
          scope: given['scope'] === 'variant' ? 'variant' : 'rollout',
          ...(given['accuracy'] ? { accuracy: {}, waitSeconds: Number(given['accuracy']) } : {}),
          ...(given['latency'] ? { latency: { maxP95Ms: 10, maxShare: 0.2 } } : {}),
        },
        soakSeconds: Number(given['soak'] ?? 0),
        deviceDeadlineSeconds: Number(given['deadline'] ?? 60),
        maxAttempts: Number(given['attempts'] ?? 2),
        retrySeconds: Number(given['retry'] ?? 5),
        maxInFlight: Number(given['inFlight'] ?? 100),
      },
      Object.fromEntries(
        variants.map((id) => [id, { modelSha256: shaOf(id), expectedAccuracy: 0.9 }]),
      ),
      Array.from({ length: Number(given['devices'] ?? 1) }, (_, index) => ({
        deviceId: `device-${index}`,
        variantId: variants[index % variants.length] ?? 'a',
        previous,
        labels: { place: String(index) },
        alternatives: variants.filter((one) => one !== variants[index % variants.length]),
        faultsAt: Array.from({ length: Number(given['faults'] ?? 0) }, () => this.now - 60_000),
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

  /** `a=-10/600` is ten points lost over 600 labels of each arm; `a=slow:3/4` three of four slow. */
  private measure(words: string[]): void {
    const evidence: Record<string, VariantEvidence> = {};
    for (const [variantId, value] of Object.entries(options(words))) {
      const [kind, text] = value.includes(':') ? value.split(':') : ['accuracy', value];
      const [a = 0, b = 1] = (text ?? '').split('/').map(Number);
      evidence[variantId] = {
        ...evidence[variantId],
        ...(kind === 'slow'
          ? { latency: { over: a, within: b - a, unknown: 0 } }
          : {
              accuracy: {
                compared: 'with-control',
                effect: a / 100,
                variance: 0.25 / b,
                labels: { treated: b, control: b },
                devices: { treated: 4, control: 4 },
              },
            }),
      };
    }
    this.step({ type: 'tick', evidence });
  }

  private join(given: Record<string, string>): void {
    const member = {
      deviceId: given['id'] ?? 'late',
      variantId: given['variant'] ?? 'a',
      previous: null,
      labels: { place: given['place'] ?? 'none' },
    };
    this.step({ type: 'join', member });
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
      } else if (name.startsWith('variant-of-')) {
        same(name, value, state.devices.get(this.deviceAt(name.slice(11)))?.variantId);
      } else if (name.startsWith('stage-of-')) {
        same(name, value, String(state.devices.get(name.slice(9))?.stage));
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

  get last(): RolloutState {
    return this.current();
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

/** `25` percent, `3n` devices, `place:4` by label; a `!` asks for approval first. */
function stageOf(text: string): StageInput {
  const approval = text.endsWith('!');
  const what = approval ? text.slice(0, -1) : text;
  if (what.includes(':')) return { selector: what.replace(':', '='), approval };
  return what.endsWith('n')
    ? { count: Number(what.slice(0, -1)), approval }
    : { percent: Number(what), approval };
}

type StageInput = RolloutSpecInput['stages'][number];

function same(what: string, wanted: unknown, seen: unknown): void {
  const [a, b] = [JSON.stringify(wanted), JSON.stringify(seen)];
  if (a !== b) throw new Error(`${what}: expected ${a}, got ${b}`);
}
