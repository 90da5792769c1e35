import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkResultFolder, writeResultFolder } from './result-folder.js';

describe('a result folder', () => {
  let parent: string;
  beforeEach(() => (parent = mkdtempSync(join(tmpdir(), 'espalier-result-'))));
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  it('is replaced as a whole: nothing of an earlier front stays', async () => {
    const out = join(parent, 'out');
    await writeResultFolder(
      out,
      new Map([
        ['fp32-100/model.onnx', 'a'],
        ['pareto.json', '{}'],
      ]),
    );
    await checkResultFolder(out);
    await writeResultFolder(
      out,
      new Map([
        ['model.onnx', 'b'],
        ['report.json', '{}'],
      ]),
    );
    expect(readdirSync(out).sort()).toEqual(['model.onnx', 'report.json']);
    expect(readdirSync(parent)).toEqual(['out']);
  });

  it('keeps the earlier result when a new one cannot be written', async () => {
    const out = join(parent, 'out');
    await writeResultFolder(out, new Map([['model.onnx', 'a']]));
    const clash = new Map([
      ['x', 'a file'],
      ['x/model.onnx', 'a file within it'],
    ]);
    await expect(writeResultFolder(out, clash)).rejects.toMatchObject({ code: 'CLI_OUT' });
    expect(readFileSync(join(out, 'model.onnx'), 'utf8')).toBe('a');
    expect(readdirSync(parent)).toEqual(['out']);
  });

  it('is refused where other files would be lost', async () => {
    const out = join(parent, 'out');
    mkdirSync(join(out, 'notes'), { recursive: true });
    writeFileSync(join(out, 'notes', 'report.json'), '{}');
    await expect(checkResultFolder(out)).resolves.toBeUndefined();
    writeFileSync(join(out, 'notes', 'draft.txt'), '');
    await expect(checkResultFolder(out)).rejects.toMatchObject({ code: 'CLI_OUT' });
    await expect(checkResultFolder(join(parent, 'new'))).resolves.toBeUndefined();
  });
});
