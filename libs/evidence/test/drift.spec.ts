import {
  confidenceThreshold,
  DriftBets,
  DriftWatch,
  FleetWatch,
  estimatedAccuracy,
  stabilityIndex,
  StreamMemory,
  WindowSketch,
} from '../src/index.js';

const MINUTE_DAYS = 1 / 1440;
const DAYS = 100;

/** A seeded source of numbers (Park and Miller). */
function numbers(seed: number): () => number {
  let state = seed;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}
const normal = (next: () => number): number =>
  Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next());

interface World {
  readonly shares: readonly number[];
  readonly brightness: number;
  readonly runLength: number;
}
const USUAL: World = { shares: Array(10).fill(0.1), brightness: 0, runLength: 20 };

/** A stream whose classes come in runs, each a little brighter than the last, and the model at times wrong. */
class Stream {
  private readonly memory = new StreamMemory();
  private left = 0;
  private label = 0;
  private readonly next: () => number;

  constructor(seed: number) {
    this.next = numbers(seed);
  }

  sketch(items: number, { shares, brightness, runLength }: World): WindowSketch {
    const sketch = new WindowSketch();
    for (let at = 0; at < items; at += 1) {
      if (this.left === 0) {
        let rest = this.next();
        this.label = Math.max(
          0,
          shares.findIndex((share) => (rest -= share) < 0),
        );
        this.left = runLength;
      }
      this.left -= 1;
      const wrong = this.next() < 0.15;
      const level = brightness + 0.05 * this.label + 0.5 * normal(this.next);
      const input = { channelMeans: [], brightness: level, contrast: 1 };
      const predicted = wrong ? Math.floor(10 * this.next()) : this.label;
      sketch.add(
        input,
        { predicted, confidence: (wrong ? 1 : 4) + normal(this.next) },
        this.memory,
      );
    }
    return sketch;
  }
}

const reference = new Stream(77).sketch(2_000, { ...USUAL, runLength: 1 });
const bets = DriftBets.on(reference);
const tripled = [0.3, ...Array<number>(9).fill(0.7 / 9)];

/** Minutes until the alarm, at most `most`; the stream runs as usual for two hours before. */
function minutesToAlarm(seed: number, drifted: World, most: number): number {
  const watch = new DriftWatch(bets, DAYS);
  const stream = new Stream(seed);
  for (let minute = 0; minute < 120; minute += 1) {
    expect(watch.take(stream.sketch(60, USUAL), MINUTE_DAYS).alarm).toBe(false);
  }
  for (let minute = 1; minute <= most; minute += 1) {
    if (watch.take(stream.sketch(60, drifted), MINUTE_DAYS).alarm) return minute;
  }
  return Infinity;
}

describe('a watch for drift', () => {
  it('is silent on streams whose items come in runs, for hours', () => {
    for (const seed of [1, 2]) {
      const watch = new DriftWatch(bets, DAYS);
      const stream = new Stream(seed);
      for (let minute = 0; minute < 480; minute += 1) {
        const verdict = watch.take(stream.sketch(60, USUAL), MINUTE_DAYS);
        expect(verdict.alarm).toBe(false);
      }
    }
  });

  it('counts a run about as one item, and independent items as one each', () => {
    const effect = (runLength: number): number => {
      const watch = new DriftWatch(bets, DAYS);
      const stream = new Stream(5);
      const world = { ...USUAL, runLength };
      for (let minute = 0; minute < 359; minute += 1) watch.take(stream.sketch(60, world), 0);
      return watch.take(stream.sketch(60, world), MINUTE_DAYS).itemsAsOne.outputs;
    };
    // A tenth more or less, of predictions that are wrong at times and so hang together less.
    expect(effect(1)).toBeLessThan(1.2);
    expect(effect(20)).toBeGreaterThan(13);
    expect(effect(20)).toBeLessThan(22);
  });

  it('raises an alarm within ten minutes when it gets dark, and names the brightness', () => {
    const watch = new DriftWatch(bets, DAYS);
    const stream = new Stream(11);
    for (let minute = 0; minute < 140; minute += 1)
      watch.take(stream.sketch(60, USUAL), MINUTE_DAYS);
    let verdict = watch.take(stream.sketch(60, { ...USUAL, brightness: -1 }), MINUTE_DAYS);
    for (let minute = 2; minute <= 10 && !verdict.alarm; minute += 1) {
      verdict = watch.take(stream.sketch(60, { ...USUAL, brightness: -1 }), MINUTE_DAYS);
    }
    expect(verdict).toMatchObject({ alarm: true, family: 'brightness' });
    // And lets go of it once it is light again.
    for (let minute = 0; minute < 720 && verdict.alarm; minute += 1) {
      verdict = watch.take(stream.sketch(60, USUAL), MINUTE_DAYS);
    }
    expect(verdict.alarm).toBe(false);
  });

  it('does not take the first run of a stream for many items', () => {
    for (const seed of [81, 82, 83]) {
      const watch = new DriftWatch(bets, DAYS);
      const stream = new Stream(seed);
      const verdict = watch.take(stream.sketch(60, { ...USUAL, runLength: 100 }), MINUTE_DAYS);
      expect(verdict).toMatchObject({ judges: false, evidenceDays: 0 });
    }
  });

  it('does not take the first run for many items either where the model mistakes its class', () => {
    // Sixty images of one class, of which a model is right in 34: a stream that was met with.
    const said = '346545633543334033353333553363533733433535353337353335333453';
    const sketch = new WindowSketch();
    const memory = new StreamMemory();
    for (const one of said) {
      const input = { channelMeans: [], brightness: 0, contrast: 1 };
      sketch.add(input, { predicted: Number(one), confidence: 1 }, memory);
    }
    const verdict = new DriftWatch(bets, DAYS).take(sketch, MINUTE_DAYS);
    expect(verdict).toMatchObject({ judges: false, evidenceDays: 0 });
  });

  it('finds a class that became three times as frequent, in the end', () => {
    for (const seed of [21, 22, 23]) {
      expect(minutesToAlarm(seed, { ...USUAL, shares: tripled }, 480)).toBeLessThan(480);
    }
  });

  it('finds at once a class that the reference does not have', () => {
    const odd = new WindowSketch();
    const next = numbers(32);
    const memory = new StreamMemory();
    const watch = new DriftWatch(bets, DAYS);
    const stream = new Stream(31);
    for (let minute = 0; minute < 120; minute += 1)
      watch.take(stream.sketch(60, USUAL), MINUTE_DAYS);
    for (let at = 0; at < 600; at += 1) {
      const brightness = 0.2 + 0.5 * normal(next);
      const input = { channelMeans: [], brightness, contrast: 1 };
      odd.add(input, { predicted: 500, confidence: 4 }, memory);
    }
    expect(watch.take(odd, 10 * MINUTE_DAYS)).toMatchObject({ alarm: true, family: 'classes' });
  });
});

describe('a watch that is put away and taken up again', () => {
  it('goes on exactly as if it had not been', () => {
    const stream = new Stream(61);
    const whole = new DriftWatch(bets, DAYS);
    let parts = new DriftWatch(bets, DAYS);
    for (let minute = 0; minute < 60; minute += 1) {
      const window = stream.sketch(60, minute < 40 ? USUAL : { ...USUAL, brightness: -0.4 });
      const verdict = whole.take(window, MINUTE_DAYS);
      expect(parts.take(window, MINUTE_DAYS)).toEqual(verdict);
      parts = DriftWatch.restore(bets, DAYS, parts.state());
    }
    expect(parts.state()).toBe(whole.state());
    expect(Buffer.from(parts.state(), 'base64').length).toBeLessThan(2_500);
  });

  it('is refused when it was on other bets', () => {
    const state = new DriftWatch(bets, DAYS).state();
    const others = DriftBets.on(reference, { oddsRatios: [2] });
    expect(() => DriftWatch.restore(others, DAYS, state)).toThrow('not of these bets');
  });
});

describe('a watch over a fleet', () => {
  /** Evidence of a fleet after ten minutes in which so many of its devices drift. */
  function evidence(devices: number, drifting: number, minutes: number): number {
    const fleet = new FleetWatch(bets);
    const streams = Array.from({ length: devices }, (_, at) => new Stream(1000 + at));
    const watches = streams.map(() => new DriftWatch(bets, DAYS));
    let most = 0;
    for (let minute = -15; minute < minutes; minute += 1) {
      for (const [at, stream] of streams.entries()) {
        const world = minute >= 0 && at < drifting ? { ...USUAL, shares: tripled } : USUAL;
        const window = stream.sketch(60, world);
        const counted = bets.count(window);
        const { itemsAsOne, judges } = watches[at]!.takeCounted(window, counted, MINUTE_DAYS);
        if (judges) fleet.take(`d-${at}`, counted, itemsAsOne, minute * MINUTE_DAYS);
      }
      most = Math.max(most, fleet.verdict(minute * MINUTE_DAYS).evidenceDays);
    }
    return most;
  }

  it('finds within ten minutes what all devices have, which none shows by itself', () => {
    expect(evidence(40, 40, 10)).toBeGreaterThan(DAYS);
  });

  it('stays a number when a device shows what is beyond all measure', () => {
    const fleet = new FleetWatch(bets);
    const odd = new WindowSketch();
    const memory = new StreamMemory();
    const input = { channelMeans: [], brightness: 1e6, contrast: 1 };
    for (let at = 0; at < 3_000; at += 1) odd.add(input, { predicted: 500, confidence: 9 }, memory);
    const usual = new Stream(91);
    for (let minute = 0; minute < 12; minute += 1) {
      const at = minute * MINUTE_DAYS;
      fleet.take('odd', bets.count(odd), { outputs: 1, inputs: 1 }, at);
      const counted = bets.count(usual.sketch(60, USUAL));
      fleet.take('usual', counted, { outputs: 20, inputs: 20 }, at);
    }
    expect(fleet.verdict(12 * MINUTE_DAYS)).toMatchObject({ evidenceDays: 1e7, devices: 2 });
  });

  it('is silent where none drifts', () => {
    expect(evidence(40, 0, 15)).toBeLessThan(DAYS / 10);
  });
});

describe('the stability index', () => {
  it('is small between samples of the same, and large after a shift', () => {
    const same = new Stream(41).sketch(2_000, { ...USUAL, runLength: 1 });
    const dark = new Stream(41).sketch(2_000, { ...USUAL, runLength: 1, brightness: -1 });
    expect(stabilityIndex('brightness', reference, same)!).toBeLessThan(0.05);
    expect(stabilityIndex('classes', reference, same)!).toBeLessThan(0.05);
    expect(stabilityIndex('brightness', reference, dark)!).toBeGreaterThan(1);
    expect(stabilityIndex('channels', reference, same)).toBeNull();
    expect(stabilityIndex('brightness', reference, new WindowSketch())).toBeNull();
  });
});

describe('accuracy estimated from confidence', () => {
  const sure = (items: number, right: number): WindowSketch => {
    const sketch = new WindowSketch();
    const memory = new StreamMemory();
    const next = numbers(51);
    for (let at = 0; at < items; at += 1) {
      const confidence = (at % 100 < right ? 4 : 0.5) + normal(next) / 2;
      sketch.add(
        { channelMeans: [], brightness: 0, contrast: 1 },
        { predicted: 1, confidence },
        memory,
      );
    }
    return sketch;
  };

  it('is that of the reference on the reference, and falls as the model becomes unsure', () => {
    const before = sure(2_000, 90);
    const threshold = confidenceThreshold(before, 0.9)!;
    expect(estimatedAccuracy(before, threshold)).toBeCloseTo(0.9, 6);
    expect(Math.abs(estimatedAccuracy(sure(2_000, 60), threshold)! - 0.6)).toBeLessThan(0.05);
    expect(confidenceThreshold(new WindowSketch(), 0.9)).toBeNull();
    expect(estimatedAccuracy(new WindowSketch(), threshold)).toBeNull();
    expect(estimatedAccuracy(before, confidenceThreshold(before, 1)!)).toBe(1);
    expect(estimatedAccuracy(before, confidenceThreshold(before, 0)!)).toBe(0);
  });
});
