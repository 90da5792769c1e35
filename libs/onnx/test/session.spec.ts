/** @jest-environment ./libs/onnx/test/ort-environment.mjs */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import {
  buildModel,
  floatTensor,
  int64Tensor,
  OnnxError,
  openSession,
  readModel,
  toNumbers,
  uint8Tensor,
  type Session,
} from '../src/index.js';
import { EXAMPLE } from './models.js';

const x = floatTensor([2, 1, 28, 28], new Float32Array(2 * 784).fill(0.5));

async function codeOf(action: () => Promise<unknown>): Promise<string> {
  try {
    await action();
  } catch (error) {
    if (error instanceof OnnxError) return error.code;
    throw error;
  }
  return 'none';
}

describe('openSession', () => {
  const bytes = readFileSync(EXAMPLE);
  let session: Session;
  beforeAll(async () => {
    session = await openSession(bytes);
  });
  afterAll(() => session.release());

  it('tells its inputs and outputs', () => {
    expect(session.inputNames).toEqual(['image']);
    expect(session.outputNames).toEqual(['logits']);
    expect(session.inputDims).toEqual({ image: ['N', 1, 28, 28] });
  });

  it('gives the same results for bytes and for the model read from them', async () => {
    const other = await openSession(readModel(bytes), { optimization: 'disabled', threads: 2 });
    const [a, b] = [await session.run({ image: x }), await other.run({ image: x })];
    await other.release();
    expect(a['logits']?.dims).toEqual([2, 10]);
    const [first, second] = [toNumbers(a['logits']!), toNumbers(b['logits']!)];
    const gaps = first.map((value, index) => Math.abs(value - second[index]!));
    expect(Math.max(...gaps)).toBeLessThan(1e-4);
  });

  it('answers every failure with a coded error', async () => {
    expect(await codeOf(() => openSession(new Uint8Array(10)))).toBe('ONNX_RUNTIME');
    expect(await codeOf(() => session.run({}))).toBe('ONNX_RUNTIME');
    expect(await codeOf(() => session.run({ image: floatTensor([1], [0]) }))).toBe('ONNX_RUNTIME');
    expect(await codeOf(() => session.run({ image: x }, ['nothing']))).toBe('ONNX_RUNTIME');
  });

  it('runs no more after its release, which may be repeated', async () => {
    const other = await openSession(bytes);
    await other.release();
    await other.release();
    expect(await codeOf(() => other.run({ image: x }))).toBe('ONNX_RUNTIME');
  });

  it('carries integers through', async () => {
    const model = buildModel({
      inputs: [
        { name: 'a', dtype: 'int64', shape: [2] },
        { name: 'b', dtype: 'uint8', shape: [2] },
      ],
      nodes: [
        { op: 'Add', inputs: ['a', 'a'], outputs: ['c'] },
        { op: 'Identity', inputs: ['b'], outputs: ['d'] },
      ],
      outputs: [
        { name: 'c', dtype: 'int64' },
        { name: 'd', dtype: 'uint8' },
      ],
    });
    const integers = await openSession(model);
    const results = await integers.run({
      a: int64Tensor([2], [1, -2]),
      b: uint8Tensor([2], [3, 255]),
    });
    await integers.release();
    expect(results['c']).toEqual(int64Tensor([2], [2, -4]));
    expect(results['d']).toEqual(uint8Tensor([2], [3, 255]));
  });

  it('saves the optimised model and a profile where it is told', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'espalier-onnx-'));
    const saved = path.join(folder, 'optimised.onnx');
    const other = await openSession(bytes, {
      optimization: 'extended',
      optimizedModelPath: saved,
      profile: path.join(folder, 'profile'),
    });
    await other.run({ image: x });
    await other.release();
    expect(existsSync(saved)).toBe(true);
    expect(readdirSync(folder).some((file) => file.startsWith('profile'))).toBe(true);
    rmSync(folder, { recursive: true });
  });

  it('gives its memory back: forty sessions cost no more than a few', async () => {
    const cycle = async (): Promise<number> => {
      for (let i = 0; i < 20; i++) {
        const other = await openSession(bytes);
        await other.run({ image: x });
        await other.release();
      }
      return process.memoryUsage().rss;
    };
    const before = await cycle();
    const after = await cycle();
    expect((after - before) / 2 ** 20).toBeLessThan(30);
  });
});
