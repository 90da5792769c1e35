import { slowedDown } from './index.js';

describe('a slower processor that is emulated', () => {
  it('takes longer for each call and kernel, and for both chains of a kernel', () => {
    const kernel = {
      id: 'gemm-64-16',
      precision: 'fp32',
      threads: 1,
      spread: 0.1,
      runs: 9,
    } as const;
    const measured = {
      callOverheadMs: [{ threads: 1, ms: 0.01 }],
      kernels: [{ ...kernel, medianMs: 0.002, chainsMs: [0.014, 0.03] satisfies [number, number] }],
    };
    expect(slowedDown(measured, 4)).toEqual({
      emulatedSlowdown: 4,
      callOverheadMs: [{ threads: 1, ms: 0.04 }],
      kernels: [{ ...kernel, medianMs: 0.008, chainsMs: [0.056, 0.12] }],
    });
    expect(slowedDown(measured, null)).toEqual({ emulatedSlowdown: null, ...measured });
  });
});
