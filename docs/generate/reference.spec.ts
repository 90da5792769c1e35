import { readFileSync } from 'node:fs';
import { jest } from '@jest/globals';
import { PAGES } from './pages.js';
import { ROOT } from './sources.js';

jest.setTimeout(180_000);

describe('the reference', () => {
  it.each(Object.entries(PAGES))('%s says what the code says', async (name, make) => {
    const made = await make();
    const kept = readFileSync(`${ROOT}docs/reference/${name}`, 'utf8');
    expect(firstDifference(made, kept)).toBe('none');
  });
});

/** The first line of a kept page that is not as the code makes it, and what to do. */
function firstDifference(made: string, kept: string): string {
  if (made === kept) return 'none';
  const [there, here] = [made.split('\n'), kept.split('\n')];
  const at = there.findIndex((line, row) => line !== here[row]);
  const [is, shouldBe] = [here[at] ?? 'missing', there[at] ?? 'missing'];
  return `line ${at + 1} is ${is}, and should be ${shouldBe}; run npm run docs`;
}
