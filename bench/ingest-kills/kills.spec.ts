import { killAtRandom } from './index.js';

describe('server and broker killed under load', () => {
  it('keep every acknowledged report, none twice, and take all that was sent in the end', async () => {
    const { sent, acknowledged, lost, twice } = await killAtRandom({
      ...{ kills: 3, devices: 200, rate: 100, seed: 1 },
      note: () => undefined,
    });
    expect(sent).toBeGreaterThan(0);
    expect({ acknowledged, lost, twice }).toEqual({ acknowledged: sent, lost: 0, twice: 0 });
  }, 400_000);
});
