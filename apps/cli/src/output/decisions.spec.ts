import pc from 'picocolors';
import { decisionsText } from './decisions.js';
import type { Terminal } from './terminal.js';

const terminal = { colors: pc.createColors(false) } as Terminal;
const at = '2026-11-26T03:00:00.000Z';
const failed = { maxFailedShare: 0.1, minSample: 1, maxMissingShare: 0.5, open: 0, missing: 0 };

/** Cells of the table's rows, each row on one line. */
const rowsOf = (text: string): string[][] =>
  text
    .split('\n')
    .filter((line) => /│ \d{4}-/.test(line))
    .map((line) => line.split('│').map((cell) => cell.trim()));

describe('decisions, for people', () => {
  it('are a table: when, about what, from which state to which, why, and on what', () => {
    const text = decisionsText(
      [
        { seq: 1, at, rule: 'order', outcome: 'start', by: 'ada', why: 'the walk' },
        { seq: 2, at, rule: 'open-stage', stage: 0, devices: 2 },
        {
          ...{ seq: 3, at, rule: 'failed-share', stage: 0, variantId: null, outcome: 'hold' },
          numbers: { ...failed, active: 1, failed: 0 },
        },
        { seq: 4, at, rule: 'order', outcome: 'abort', mode: 'revert', by: 'ada', why: '' },
        {
          ...{ seq: 5, at, rule: 'device', deviceId: 'press-1', outcome: 'revert', failure: null },
          numbers: { tries: 1, maxAttempts: 3 },
        },
        { seq: 6, at, rule: 'end', outcome: 'aborted', numbers: { reverted: 2 } },
      ],
      terminal,
    );
    expect(rowsOf(text).map(([, , ...cells]) => cells.slice(0, 3))).toEqual([
      ['the rollout', 'draft → running', 'order of ada: start'],
      ['stage 1', 'waiting → open', 'what comes before it is done'],
      ['stage 1', 'running → held', 'gate: failed-share'],
      ['the rollout', 'held → aborting', 'order of ada: abort (revert)'],
      ['press-1', '→ reverting', 'its variant or the rollout was stopped'],
      ['the rollout', 'aborting → aborted', 'no device is at work any more'],
    ]);
    expect(text).toContain('"the walk"');
    expect(text).toContain('0 of 1 failed, at most 10.0 %');
    expect(text).toContain('2 reverted');
  });

  it.each([
    [1, '1 device'],
    [2, '2 devices'],
  ])('count %i so', (devices, words) => {
    const opened = { seq: 1, at, rule: 'open-stage', stage: 0, devices };
    expect(rowsOf(decisionsText([opened], terminal))[0]).toContain(words);
  });

  it('of a variant that is stopped leave the rollout as it is, and say by which numbers', () => {
    const [row] = rowsOf(
      decisionsText(
        [
          {
            ...{ seq: 1, at, rule: 'accuracy', stage: 0, variantId: 'v-1', outcome: 'halt' },
            numbers: null,
          },
        ],
        terminal,
      ),
    );
    expect(row!.slice(2, 6)).toEqual([
      'v-1',
      '→ stopped',
      'gate: accuracy',
      'nothing was measured',
    ]);
  });
});
