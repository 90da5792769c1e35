import { ThermalWatch } from './thermal-watch.js';

/** A watch over given readings, a minute apart; gives the minutes at which it called for measuring. */
async function calls(measuredAtC: number | null, readings: (number | null)[]): Promise<number[]> {
  const called: number[] = [];
  let minute = 0;
  const watch = new ThermalWatch(
    () => measuredAtC,
    () => called.push(minute),
    () => Promise.resolve(readings[minute] ?? null),
  );
  for (; minute < readings.length; minute++) await watch.look(minute * 60_000);
  return called;
}

describe('watching the temperature', () => {
  it('calls for measuring once the device stays warmer or colder, and not at a peak', async () => {
    expect(await calls(50, [50, 70, 50, 70, 70, 70, 70])).toEqual([5]);
    expect(await calls(50, [30, 31, 32, 50])).toEqual([2]);
    expect(await calls(50, [60, 60, 60, 60])).toEqual([]);
  });

  it('calls at most once an hour', async () => {
    expect(await calls(50, new Array<number>(130).fill(70))).toEqual([2, 62, 122]);
  });

  it('never calls where no temperature can be read', async () => {
    expect(await calls(null, [70, 70, 70])).toEqual([]);
    expect(await calls(50, [null, null, null, null])).toEqual([]);
  });
});
