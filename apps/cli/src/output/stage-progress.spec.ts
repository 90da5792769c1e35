import { stageLines } from './stage-progress.js';

describe('progress as plain lines', () => {
  it('says where a stage begins and ends, now and then where it is, and the time left', () => {
    let now = 0;
    const lines: string[] = [];
    const stages = stageLines(
      (line) => lines.push(line),
      () => now,
    );
    for (let done = 0; done <= 20; done++) {
      stages.update({ stage: 'refit', done, total: 20 });
      now += 1_000;
    }
    expect(lines).toEqual([
      'refit 0/20',
      'refit 5/20, about 15 s left',
      'refit 10/20, about 10 s left',
      'refit 15/20, about 5 s left',
      'refit 20/20',
    ]);
  });

  it('says the end of a stage once, and that of one without parts not at all', () => {
    const lines: string[] = [];
    const stages = stageLines(
      (line) => lines.push(line),
      () => 0,
    );
    stages.update({ stage: 'cut', done: 0, total: 1 });
    stages.update({ stage: 'cut', done: 1, total: 1 });
    for (const done of [1, 2, 2, 2]) stages.update({ stage: 'refit', done, total: 2 });
    stages.update({ stage: 'refit', done: 1, total: 1 });
    expect(lines).toEqual(['cut', 'refit 1/2', 'refit 2/2']);
  });
});
