import { copyFileSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
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
  /** Ids of messages that are on the disk. */
  const kept = new Set<string>();
  const open = (): FeedbackDrop =>
    new FeedbackDrop(
      folder,
      (sha256, counts) => {
        if (sha256 === SHA) taken.push(counts);
        return sha256 === SHA;
      },
      (id) => kept.has(id),
      log,
    );

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'espalier-drop-'));
    taken.length = 0;
    logged.length = 0;
    kept.clear();
    drop = open();
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
    drop.settle('m-1', () => kept.add('m-1'));
    expect(readdirSync(join(folder, 'counted'))).toEqual([]);
    expect(readdirSync(folder)).toEqual(['counted', 'rejected']);
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

  describe('where the agent ends', () => {
    /** Labels that reached a message that was kept. */
    let reported = 0;
    const windowOf =
      (id: string, ends = false) =>
      () => {
        if (ends) throw new Error('ended before it was kept');
        reported += taken.splice(0).length;
        kept.add(id);
      };
    const drop1 = (): void => {
      writeFileSync(join(folder, '1.jsonl'), line(3, 2));
      drop.look();
    };
    /** A new process: what the last one had counted in memory is gone. */
    const again = (): void => {
      taken.length = 0;
      drop = open();
      drop.look();
      drop.settle('m-2', windowOf('m-2'));
    };
    beforeEach(() => (reported = 0));

    it('with labels in an open window, they are in the next one', () => {
      drop1();
      again();
      expect(reported).toBe(1);
    });

    it('before a message is kept, they are in the next one, and those dropped meanwhile too', () => {
      drop1();
      expect(() => drop.settle('m-1', windowOf('m-1', true))).toThrow();
      writeFileSync(join(folder, '1.jsonl'), line(5, 5));
      again();
      expect(reported).toBe(2);
    });

    it('once a message is kept, they are in no other, though their files are still there', () => {
      drop1();
      const [name] = readdirSync(join(folder, 'counted'));
      const ledger = join(folder, 'counted', 'ledger.json');
      drop.settle('m-1', () => {
        windowOf('m-1')();
        // As it is on the disk at this moment.
        copyFileSync(ledger, join(folder, 'ledger.copy'));
      });
      renameSync(join(folder, 'ledger.copy'), ledger);
      writeFileSync(join(folder, 'counted', name!), line(3, 2));
      again();
      expect(reported).toBe(1);
      expect(readdirSync(join(folder, 'counted'))).toEqual([]);
    });
  });
});
