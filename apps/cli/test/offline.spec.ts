import { jest } from '@jest/globals';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compressionReportSchema, paretoSchema } from '@espalier/compression';
import { readNpz, writeNpz } from '@espalier/dataset';
import { countModel, openSession, readModel } from '@espalier/onnx';
import { KERNELS, profileSchema, type Profile } from '@espalier/protocol';
import { CALIBRATION, CARD, CliProcess, EVALUATION, MODEL, run } from './cli-process.js';

jest.setTimeout(240_000);

const DATA = ['--calibration', CALIBRATION, '--evaluation', EVALUATION, '--card', CARD];
const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

let folder: string;
/** Data for what does not rest on how accurate the result is: fewer samples compress sooner. */
let few: string[];
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'espalier-cli-'));
  const head = (path: string, count: number): string => {
    const arrays = [...readNpz(readFileSync(path))].map(([key, { dtype, dims, data }]) => {
      const part = data.slice(0, count * (data.length / dims[0]!));
      return [key, { dtype, dims: [count, ...dims.slice(1)], data: part }] as const;
    });
    const first = join(folder, `first-${count}.npz`);
    writeFileSync(first, writeNpz(Object.fromEntries(arrays)));
    return first;
  };
  few = [
    ...['--calibration', head(CALIBRATION, 128), '--card', CARD],
    ...['--evaluation', head(EVALUATION, 400)],
  ];
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('espalier inspect', () => {
  it('tells a person the costs, each coupled group and each locked one with its reason', async () => {
    const { code, stdout } = await run(['inspect', MODEL]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/parameters\s+84,682/);
    expect(stdout).toMatch(/MACs\s+6,597,856/);
    expect(stdout).toMatch(/\/2\/c\/c\.2\/c\.2\.0\/Conv_output_0.*24.*24.*24.*onnx::Conv_247/);
    expect(stdout).toMatch(/logits.*10.*is an output of the model/);
  });

  it('gives a program one JSON document and nothing else', async () => {
    const { code, stdout, stderr } = await run(['inspect', MODEL, '--json']);
    expect(code).toBe(0);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toMatchObject({ params: 84_682, macs: 6_597_856, opset: 13 });
  });

  it('answers a broken model, a missing one and a wrong option with a code and exit code 2', async () => {
    const broken = join(folder, 'broken.onnx');
    const bytes = readFileSync(MODEL);
    writeFileSync(broken, bytes.subarray(0, Math.floor(bytes.length / 2)));
    const cases = [
      [['inspect', broken], /^ONNX_[A-Z_]+: /],
      [['inspect', join(folder, 'none.onnx')], /^CLI_FILE: .*none\.onnx/],
      [['inspect', MODEL, '--deep'], /^CLI_USAGE: unknown option '--deep'/],
      [['prune', MODEL], /^CLI_USAGE: unknown command 'prune'/],
    ] as const;
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await run(args);
      expect([code, stdout]).toEqual([2, '']);
      expect(stderr).toMatch(message);
    }
  });
});

describe('espalier compress', () => {
  it('writes a model that keeps its goal in stock ONNX Runtime, and a report of those bytes', async () => {
    const out = join(folder, 'ratio');
    const ended = await run([
      'compress',
      MODEL,
      ...DATA,
      '--macs-ratio',
      '0.6',
      '--out',
      out,
      '--json',
    ]);
    expect(ended.code).toBe(0);
    expect(readdirSync(out).sort()).toEqual(['model.onnx', 'report.html', 'report.json']);
    expect(readFileSync(join(out, 'report.html'), 'utf8')).toContain('fashion-mobilenetv2.onnx');
    const bytes = new Uint8Array(readFileSync(join(out, 'model.onnx')));
    const report = compressionReportSchema.parse(JSON.parse(ended.stdout));
    expect(JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'))).toEqual(report);
    expect(report.variant).toMatchObject({ sha256: sha256(bytes), bytes: bytes.length });
    const { macs } = countModel(readModel(bytes));
    expect(report.variant.macs).toBe(macs);
    expect(macs).toBeLessThanOrEqual(0.6 * 6_597_856);
    expect(report.goals).toEqual([
      expect.objectContaining({ name: 'macs-ratio', target: 0.6, met: true }),
    ]);
    expect(report.quality!.before - report.quality!.after).toBeLessThan(0.03);
    const session = await openSession(bytes);
    expect(session.inputNames).toEqual(['image']);
    await session.release();
    expect(ended.stderr).toMatch(/refit \d+\/\d+/);
  });

  it('replaces its earlier result, and writes the best found with exit code 1 when goals are missed', async () => {
    const out = join(folder, 'ratio');
    const { code, stdout } = await run([
      ...['compress', MODEL, ...few, '--max-size-kib', '1', '--macs-ratio', '0.5'],
      ...['--out', out, '--json'],
    ]);
    expect(code).toBe(1);
    const report = compressionReportSchema.parse(JSON.parse(stdout));
    expect(report.goals.map(({ name, met }) => [name, met])).toEqual([
      ['max-size-kib', false],
      ['macs-ratio', true],
    ]);
    expect(report.obstacles.join()).toContain('channels cannot be cut');
    expect(sha256(readFileSync(join(out, 'model.onnx')))).toBe(report.variant.sha256);
    expect(readdirSync(folder).filter((name) => name.includes('ratio'))).toEqual(['ratio']);
  });

  it('gives the same bytes for the same seed', async () => {
    const hashes = [];
    for (const name of ['once', 'twice']) {
      const out = join(folder, name);
      await run([
        ...['compress', MODEL, ...few.slice(0, 4)],
        ...['--macs-ratio', '0.4', '--seed', '7', '--out', out],
      ]);
      hashes.push(sha256(readFileSync(join(out, 'model.onnx'))));
    }
    expect(hashes[0]).toBe(hashes[1]);
  });

  it('writes a folder for each candidate of a front, from one calibration', async () => {
    const out = join(folder, 'front');
    const { code, stdout } = await run([
      ...['compress', MODEL, ...few, '--pareto', '--points', '3', '--macs-ratio', '0.5'],
      ...['--out', out, '--json'],
    ]);
    expect(code).toBe(0);
    const pareto = paretoSchema.parse(JSON.parse(stdout));
    const ids = pareto.candidates.map(({ id }) => id);
    expect(readdirSync(out).sort()).toEqual([...ids, 'pareto.json', 'report.html'].sort());
    for (const { id, sha256: hash, macs } of pareto.candidates) {
      const bytes = new Uint8Array(readFileSync(join(out, id, 'model.onnx')));
      expect([sha256(bytes), countModel(readModel(bytes)).macs]).toEqual([hash, macs]);
      const text = readFileSync(join(out, id, 'report.json'), 'utf8');
      const { goals } = compressionReportSchema.parse(JSON.parse(text));
      expect(goals).toEqual([
        expect.objectContaining({ name: 'macs-ratio', met: macs / 6_597_856 <= 0.5 }),
      ]);
    }
  });

  it('keeps a latency goal on the device whose profile it is given', async () => {
    const profile = join(folder, 'profile.json');
    writeFileSync(profile, JSON.stringify(profileOf()));
    const out = join(folder, 'latency');
    const { code, stdout } = await run([
      ...['compress', MODEL, ...few, '--device', profile, '--max-latency-ms', '1000'],
      ...['--out', out, '--json'],
    ]);
    const { latencyMs, goals } = compressionReportSchema.parse(JSON.parse(stdout));
    expect(code).toBe(0);
    expect(latencyMs!.predicted).toBeGreaterThan(0);
    expect(latencyMs!.profileSha256).toMatch(/^[0-9a-f]{64}$/);
    expect(goals[0]).toMatchObject({ name: 'max-latency-ms', achieved: latencyMs!.predicted });
  });

  it('refuses what it cannot use before it works, each with its code', async () => {
    const out = join(folder, 'refused');
    const text = join(folder, 'text.npz');
    writeFileSync(text, 'no archive');
    const card = join(folder, 'card.json');
    writeFileSync(card, '{"input": {"layout": "NWHC"}}');
    const occupied = join(folder, 'occupied');
    mkdirSync(occupied);
    writeFileSync(join(occupied, 'thesis.txt'), 'not to be lost');
    const data = ['--calibration', CALIBRATION];
    const cases = [
      [[...data, '--macs-ratio', 'half', '--out', out], /^CLI_USAGE: .*"half" is not a number/],
      [[...data, '--macs-ratio', '1.5', '--out', out], /^COMPRESS_GOAL_INVALID: /],
      [[...data, '--max-latency-ms', '1', '--out', out], /^COMPRESS_GOAL_INVALID: .*--device/],
      [[...data, '--device', card, '--out', out], /^CLI_PROFILE: .*schemaVersion/],
      [[...data, '--card', card, '--out', out], /^CARD_INVALID: .*input\.layout/],
      [['--calibration', text, '--out', out], /^DATASET_CORRUPT: /],
      [['--out', out], /^CLI_USAGE: required option '--calibration/],
      [[...data, '--out', occupied], /^CLI_OUT: .*thesis\.txt/],
    ] as const;
    for (const [args, message] of cases) {
      const { code, stdout, stderr } = await run(['compress', MODEL, ...args]);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: '' });
      expect(stderr).toMatch(message);
    }
    expect(existsSync(out)).toBe(false);
    expect(readdirSync(occupied)).toEqual(['thesis.txt']);
  });

  it.each(['SIGINT', 'SIGTERM'] as const)('leaves nothing behind on %s', async (signal) => {
    const parent = join(folder, signal);
    mkdirSync(parent);
    const out = join(parent, 'out');
    const command = new CliProcess([
      ...['compress', MODEL, ...DATA, '--macs-ratio', '0.5', '--out', out],
    ]);
    await command.said(/sensitivity/);
    command.signal(signal);
    const { code, stdout, stderr } = await command.ended;
    expect([code, stdout]).toEqual([130, '']);
    expect(stderr).toMatch(/^COMPRESS_CANCELLED: /m);
    expect(readdirSync(parent)).toEqual([]);
  });
});

/** A device whose kernels take a time in proportion to their work. */
function profileOf(): Profile {
  const kernels = KERNELS.flatMap(({ id, precisions, cin, cout, size, kernel, group }) =>
    precisions.map((precision) => ({
      ...{ id, precision, threads: 1, spread: 0.02, runs: 20 },
      medianMs: 0.002 + (cin * cout * size * size * kernel * kernel) / group / 2e7,
    })),
  );
  return profileSchema.parse({
    schemaVersion: 1,
    measuredAt: new Date(0).toISOString(),
    agentVersion: '0.0.0',
    runtime: { name: 'onnxruntime-node', version: '1.30.0', convBlock: 8 },
    cpu: { model: 'x', arch: 'x64', cores: 1, isa: [], frequencyMHz: null, temperatureC: null },
    memory: {
      ...{ totalBytes: 2 ** 30, limitBytes: 2 ** 30, limitedBy: 'machine' },
      ...{ freeBytes: 2 ** 29, runtimeBytes: 2 ** 26 },
    },
    storage: { freeBytes: 2 ** 30, limitBytes: 2 ** 30, limitedBy: 'machine' },
    emulatedSlowdown: null,
    callOverheadMs: [{ threads: 1, ms: 0.02 }],
    kernels,
    measuringSeconds: 1,
  });
}
