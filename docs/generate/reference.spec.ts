import { readFileSync } from 'node:fs';
import { jest } from '@jest/globals';
import { PAGES } from './pages.js';
import { ROOT } from './sources.js';

jest.setTimeout(180_000);

describe('the reference', () => {
  it.each(Object.entries(PAGES))('%s says what the code says', async (name, make) => {
    const made = await make();
    const kept = readFileSync(`${ROOT}docs/reference/${name}`, 'utf8');
    if (made === kept) return;
    const [there, here] = [made.split('\n'), kept.split('\n')];
    const at = there.findIndex((line, row) => line !== here[row]);
    throw new Error(
      `docs/reference/${name} is behind the code: run npm run docs.\nline ${at + 1} is ${here[at] ?? 'missing'}\nand should be ${there[at] ?? 'missing'}`,
    );
  });
});
