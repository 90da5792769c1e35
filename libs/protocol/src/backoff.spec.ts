import fc from 'fast-check';
import { fullJitter } from './backoff.js';

describe('the wait before a new connection', () => {
  it('is spread evenly from nothing to a bound that doubles, and never over a minute', () => {
    fc.assert(
      fc.property(
        fc.nat(10_000),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        (attempt, random) => {
          const bound = Math.min(60_000, 500 * 2 ** attempt);
          expect(fullJitter(attempt, random)).toBe(Math.floor(random * bound));
        },
      ),
    );
  });
});
