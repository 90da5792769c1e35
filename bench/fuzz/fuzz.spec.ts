/** The fuzzers, shortened: `npm run bench -- fuzz --json` runs them at length. */
import { jest } from '@jest/globals';
import { fuzzAgent } from './agent.js';
import { fuzzBroker } from './broker.js';
import { fuzzOnnx } from './onnx.js';
import { fuzzServer } from './server.js';

jest.setTimeout(300_000);

const note = (): void => undefined;

describe('spoilt input is refused with a code, in bounded memory, and the next sound one is served', () => {
  it.each([
    ['the server', fuzzServer, 300, 7],
    ['the broker', fuzzBroker, 300, 7],
    ['the agent', fuzzAgent, 300, 7],
    ['the reader of models', fuzzOnnx, 200, 7],
  ])('by %s', async (_, fuzz, count, seed) => {
    const { failures, refused, peakRssMiB, boundMiB, servedAfter } = await fuzz({
      ...{ count, seed, note },
    });
    expect({ failures, servedAfter }).toEqual({ failures: [], servedAfter: true });
    expect(Object.keys(refused).length).toBeGreaterThan(2);
    expect(peakRssMiB).toBeGreaterThan(0);
    expect(peakRssMiB).toBeLessThan(boundMiB);
  });
});
