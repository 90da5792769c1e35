import type { Variant } from '@espalier/protocol';
import { overBudget, type Resources } from './budget.js';

const variant: Variant = {
  id: 'v1',
  artifact: {
    sha256: 'a'.repeat(64),
    length: 40,
    encoding: 'brotli',
    manifestSha256: 'b'.repeat(64),
  },
  model: { sha256: 'c'.repeat(64), length: 100 },
  peakRamBytes: 500,
  precision: 'fp32',
  session: { threads: 1, optimization: 'all' },
  card: null,
};
const room: Resources = {
  memoryLimitBytes: 500,
  storageLimitBytes: 200,
  freeBytes: 140,
  keptModelBytes: 60,
  partBytes: 0,
};
const code = (changes: Partial<Resources>) => overBudget(variant, { ...room, ...changes })?.code;

describe('the budget of a device', () => {
  it('takes a variant that fits to the byte beside the one that is kept', () => {
    expect(code({})).toBeUndefined();
    expect(code({ memoryLimitBytes: undefined, storageLimitBytes: undefined })).toBeUndefined();
  });

  it('refuses one byte more of storage, of disk, of memory, with what is missing', () => {
    expect(code({ keptModelBytes: 61 })).toBe('TARGET_STORAGE');
    expect(code({ freeBytes: 139 })).toBe('TARGET_STORAGE');
    expect(code({ freeBytes: 100, partBytes: 40 })).toBeUndefined();
    expect(code({ memoryLimitBytes: 499 })).toBe('TARGET_MEMORY');
  });
});
