import { jest } from '@jest/globals';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inspectModel } from '@espalier/compression';
import { measureEspalier } from '../measured-process.js';
import { spoiledFiles } from './cases.js';

jest.setTimeout(120_000);

const EXAMPLE = fileURLToPath(new URL('../../examples/fashion-mobilenetv2.onnx', import.meta.url));
const example = {
  ...{ name: 'fashion-mobilenetv2', kind: 'model' as const },
  bytes: new Uint8Array(readFileSync(EXAMPLE)),
};

const CODED = /^(ONNX|COMPRESS)_[A-Z_]+$/;

describe('spoiled models', () => {
  it('are inspected, or refused with a coded error, within bounded memory', () => {
    const before = process.memoryUsage().rss;
    const outcomes = new Set<string>();
    for (const { bytes, mutation } of spoiledFiles([example], 132, 7)) {
      try {
        inspectModel(bytes);
        outcomes.add('inspected');
      } catch (error) {
        const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
        expect({ mutation, code }).toEqual({ mutation, code: expect.stringMatching(CODED) });
        outcomes.add(code);
      }
    }
    expect(outcomes.size).toBeGreaterThan(3);
    expect(process.memoryUsage().rss - before).toBeLessThan(2 ** 30);
  });

  it('end the command line with exit code 2 and the code, when they are refused', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'espalier-spoiled-'));
    try {
      const path = join(folder, 'spoiled.onnx');
      for (const { bytes } of spoiledFiles([example], 6, 11)) {
        writeFileSync(path, bytes);
        const { exitCode, stderr, peakRssMiB } = await measureEspalier(['inspect', path], 60);
        expect(peakRssMiB).toBeLessThan(1024);
        if (exitCode !== 0) {
          expect({ exitCode, stderr }).toEqual({
            exitCode: 2,
            stderr: expect.stringMatching(/^ONNX_[A-Z_]+: /),
          });
        }
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
