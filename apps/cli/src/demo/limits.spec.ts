import { fittingLimit, type Outcome } from './limits.js';

/** A device that what needs at most `share` fits, wider variants needing more. */
const deviceWith =
  (needs: Readonly<Record<string, number>>) =>
  ({ share }: { share: number }): Promise<Outcome> => {
    const fitting = Object.entries(needs).filter(([, need]) => need <= share);
    const [best] = fitting.sort(([, a], [, b]) => b - a);
    return Promise.resolve({ candidateId: best?.[0] ?? null, widths: best?.[0] ?? null });
  };

const needs = { whole: 1, half: 0.5, fifth: 0.2 };

describe('the limit of a demo device', () => {
  it('is the first share where that already asks for widths of its own', async () => {
    const limit = await fittingLimit(
      { of: 'ram', share: 0.7 },
      new Set(['whole']),
      deviceWith(needs),
    );
    expect(limit).toEqual({ of: 'ram', share: 0.7 });
  });

  it('gets tighter while another device has those widths', async () => {
    const { share } = await fittingLimit(
      { of: 'latency', share: 1.2 },
      new Set(['whole', 'half']),
      deviceWith(needs),
    );
    expect(share).toBeGreaterThanOrEqual(0.2);
    expect(share).toBeLessThan(0.5);
  });

  it('gets looser while nothing fits, and stays where something does', async () => {
    const { share } = await fittingLimit(
      { of: 'latency', share: 0.1 },
      new Set(['fifth']),
      deviceWith(needs),
    );
    expect(share).toBeGreaterThanOrEqual(0.2);
    expect(share).toBeLessThan(0.25);
  });
});
