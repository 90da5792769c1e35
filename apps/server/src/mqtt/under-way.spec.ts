import { UnderWay } from './under-way.js';

describe('messages under way', () => {
  let finish: (() => void)[];
  const slow = (): Promise<void> => new Promise((resolve) => finish.push(resolve));
  const finishOne = async (): Promise<void> => {
    finish.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  beforeEach(() => (finish = []));

  it('are bounded by their number, however small they are', async () => {
    const underWay = new UnderWay({ messages: 2, bytes: 1000 });
    expect([1, 1, 1].map((bytes) => underWay.begin(bytes, slow))).toEqual([true, true, false]);
    expect(finish).toHaveLength(2);
    await finishOne();
    expect(underWay.begin(1, slow)).toBe(true);
  });

  it('are bounded by their bytes, however few they are; a small one may still fit', async () => {
    const underWay = new UnderWay({ messages: 100, bytes: 1000 });
    const begun = [600, 600, 400, 1].map((bytes) => underWay.begin(bytes, slow));
    expect(begun).toEqual([true, false, true, false]);
    await finishOne();
    expect(underWay.begin(601, slow)).toBe(false);
    expect(underWay.begin(600, slow)).toBe(true);
  });

  it('are waited for at the end', async () => {
    const underWay = new UnderWay({ messages: 2, bytes: 1000 });
    underWay.begin(1, slow);
    let isSettled = false;
    const settled = underWay.settled().then(() => (isSettled = true));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isSettled).toBe(false);
    await finishOne();
    await settled;
    expect(isSettled).toBe(true);
  });
});
