import { KERNELS } from '@espalier/protocol';
import { contention, parseThreadTime } from './contention.js';
import { parseCacheSize } from './cpu.js';
import type { TimedKernel } from './kernel-timing.js';
import { type Measurement, schedule } from './schedule.js';
import { centreOf } from './statistics.js';
import { measureKernels } from './visits.js';

const measurements: Measurement[] = KERNELS.slice(0, 4).map((kernel, at) => ({
  ...{ kernel, precision: 'fp32', threads: at < 2 ? 1 : 2 },
}));

/** A clock that a visit moves, and kernels that answer as told. */
function benchOf(answer: (id: string, attempt: number) => Partial<TimedKernel>) {
  let now = 0;
  const attempts = new Map<string, number>();
  return {
    visited: [] as string[],
    elapsedMs: () => now,
    time({ kernel: { id }, precision, threads }: Measurement): Promise<TimedKernel> {
      now += 10;
      const attempt = (attempts.get(id) ?? 0) + 1;
      attempts.set(id, attempt);
      this.visited.push(id);
      const time = { id, precision, threads, medianMs: attempt, spread: 0.05, runs: 9 };
      return Promise.resolve({ time, waiting: 0, ...answer(id, attempt) });
    },
  };
}

describe('measuring kernels within a time', () => {
  it('visits each once where nothing disturbs', async () => {
    const bench = benchOf(() => ({}));
    const { kernels: times, disturbed } = await measureKernels(measurements, 1000, bench);
    expect(disturbed).toBe(0);
    expect(times.map(({ medianMs }) => medianMs)).toEqual([1, 1, 1, 1]);
    expect(bench.visited).toHaveLength(4);
  });

  it('tries again what waited for a processor, and keeps the quiet try', async () => {
    const id = KERNELS[1]!.id;
    const bench = benchOf((of, attempt) => (of === id && attempt < 3 ? { waiting: 0.9 } : {}));
    const { kernels: times } = await measureKernels(measurements, 1000, bench);
    expect(times.find((time) => time.id === id)?.medianMs).toBe(3);
    expect(bench.visited.filter((of) => of !== id)).toHaveLength(3);
  });

  it('tries again what was measured while the probe found the machine busy, and says the best state', async () => {
    const id = KERNELS[0]!.id;
    const bench = benchOf((of, attempt) => {
      const busy = of === id && attempt < 3 ? 1.5 : 1;
      const statesMs: [number, number] = [0.03, 0.03 * busy];
      const time = { id: of, precision: 'fp32' as const, threads: 1, medianMs: busy, statesMs };
      return { time: { ...time, spread: 0.05, runs: 9 } };
    });
    const found = await measureKernels(measurements, 1000, bench);
    expect(found.kernels.find((time) => time.id === id)?.medianMs).toBe(1);
    expect(found).toMatchObject({ disturbed: 0, probeMs: 0.03 });
    expect(bench.visited.filter((of) => of !== id)).toHaveLength(3);
  });

  it('ends with the time, and gives up on what is always disturbed', async () => {
    const late = await measureKernels(
      measurements,
      15,
      benchOf(() => ({})),
    );
    expect(late.kernels).toHaveLength(2);
    const bench = benchOf(() => ({ waiting: 1 }));
    const given = await measureKernels(measurements, 100_000, bench);
    expect(given.kernels).toHaveLength(4);
    expect(given.disturbed).toBe(1);
    expect(bench.visited.length).toBeLessThanOrEqual(4 * 6);
  });

  it('takes one thread before more, and every kernel of the list in full', () => {
    const all = schedule([1, 4], false);
    const firstOfMore = all.findIndex(({ threads }) => threads > 1);
    expect(all.slice(firstOfMore).every(({ threads }) => threads === 4)).toBe(true);
    expect(new Set(all.map(({ kernel }) => kernel)).size).toBe(KERNELS.length);
    expect(schedule([1], true).length).toBeLessThan(firstOfMore);
  });
});

describe('what is read on the way', () => {
  it('counts two threads that take turns on one processor as contended, and not one that idles', () => {
    const before = new Map([
      ['1', { ran: 0, waited: 0 }],
      ['2', { ran: 0, waited: 0 }],
      ['3', { ran: 0, waited: 0 }],
    ]);
    const after = new Map([
      ['1', { ran: 5, waited: 5 }],
      ['2', { ran: 5, waited: 5 }],
      ['3', { ran: 0.1, waited: 9 }],
      ['4', { ran: 9, waited: 9 }],
    ]);
    expect(contention(before, after, 10)).toBe(1);
  });

  it('reads thread times and cache sizes, and survives kernels without them', () => {
    expect(parseThreadTime('2000000 4500000 7')).toEqual({ ran: 2, waited: 4.5 });
    expect(parseThreadTime('')).toEqual({ ran: 0, waited: 0 });
    expect(parseCacheSize('32768K')).toBe(2 ** 25);
    expect(parseCacheSize('2M')).toBe(2 ** 21);
    expect(parseCacheSize('nothing')).toBeNull();
  });

  it('takes the centre of most samples where a part was disturbed', () => {
    const samples = [1.0, 1.01, 1.02, 1.0, 1.03, 1.01, 3, 4, 5, 3.5];
    expect(centreOf(samples).median).toBeLessThan(1.03);
  });
});
