import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { FeedbackDrop } from './feedback-drop.js';

const SHA = 'a'.repeat(64);
const line = (labelled: number, correct: number, modelSha256 = SHA) =>
  JSON.stringify({ modelSha256, labelled, correct });

describe('a feedback folder', () => {
  let folder: string;
  const taken: object[] = [];
  const logged: { code?: string; why?: string }[] = [];
  const log = pino({ level: 'warn' }, { write: (text: string) => logged.push(JSON.parse(text)) });
  let drop: FeedbackDrop;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'espalier-drop-'));
    taken.length = 0;
    logged.length = 0;
    drop = new FeedbackDrop(
      folder,
      (sha256, counts) => {
        if (sha256 === SHA) taken.push(counts);
        return sha256 === SHA;
      },
      log,
    );
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  it('gives its files once each, in order, and only when they are whole', () => {
    writeFileSync(join(folder, '2.jsonl'), line(5, 4));
    writeFileSync(join(folder, '1.jsonl'), `${line(3, 2)}\n\n${line(1, 1)}\n`);
    writeFileSync(join(folder, '3.jsonl.part'), line(9, 9));
    drop.look();
    drop.look();
    expect(taken).toEqual([
      { labelled: 3, correct: 2 },
      { labelled: 1, correct: 1 },
      { labelled: 5, correct: 4 },
    ]);
    renameSync(join(folder, '3.jsonl.part'), join(folder, '3.jsonl'));
    drop.look();
    expect(taken).toHaveLength(4);
    expect(readdirSync(folder)).toEqual(['rejected']);
  });

  it('sets a file aside whole that has a bad line, says which, and goes on', () => {
    writeFileSync(join(folder, '1.jsonl'), `${line(3, 2)}\n${line(3, 4)}`);
    writeFileSync(join(folder, '2.jsonl'), 'x'.repeat(2 ** 20 + 1));
    writeFileSync(join(folder, '3.jsonl'), line(2, 2));
    drop.look();
    expect(taken).toEqual([{ labelled: 2, correct: 2 }]);
    expect(logged.map(({ code }) => code)).toEqual(['FEEDBACK_INVALID', 'FEEDBACK_TOO_LARGE']);
    expect(logged[0]!.why).toContain('Line 2');
    expect(readdirSync(join(folder, 'rejected'))).toEqual(['1.jsonl', '2.jsonl']);
  });

  it('keeps a bounded number of them, and says of labels that they are of another model', () => {
    for (let at = 100; at < 250; at += 1) writeFileSync(join(folder, `${at}.jsonl`), '{');
    drop.look();
    drop.look();
    expect(readdirSync(join(folder, 'rejected'))).toHaveLength(100);
    writeFileSync(join(folder, 'other.jsonl'), line(2, 2, 'b'.repeat(64)));
    logged.length = 0;
    drop.look();
    expect(logged).toMatchObject([{ code: 'FEEDBACK_OTHER_MODEL' }]);
    expect(taken).toEqual([]);
  });
});
