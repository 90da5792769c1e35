import { latencySteps } from './widths.js';

describe('widths where latency steps down', () => {
  it('keeps the widest width of each block of eight', () => {
    const blocks = (width: number): number => 1 + Math.ceil(width / 8);
    const widths = Array.from({ length: 29 }, (_, i) => 32 - i);
    expect(latencySteps(widths, blocks)).toEqual([32, 24, 16, 8]);
  });

  it('leaves out narrower widths that are slower, and keeps those that are faster than all wider', () => {
    const ms = new Map([
      [16, 2],
      [15, 5],
      [12, 3],
      [8, 1.5],
      [4, 1.4999],
    ]);
    expect(latencySteps([...ms.keys()], (width) => ms.get(width)!)).toEqual([16, 8]);
  });
});
