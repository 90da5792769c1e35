import { readFileSync } from 'node:fs';
import { decodeArtifact, encodeArtifact } from '@espalier/artifact';
import { prepareModel } from '../prepare/index.js';
import { graphOf, readModel, writeModel } from '@espalier/onnx';
import { pruneModelByMagnitude } from './magnitude-baseline.js';
import { tensorSegments } from './tensor-segments.js';

const file = new Uint8Array(
  readFileSync(new URL('../../../../examples/fashion-mobilenetv2.onnx', import.meta.url)),
);

describe('segments of a model file', () => {
  it('lie where the tensors do', () => {
    const model = readModel(file);
    const segments = tensorSegments(file);
    const weights = graphOf(model)
      .nodes.filter(({ op }) => op === 'Conv')
      .map(({ inputs }) => graphOf(model).constant(inputs[1] ?? ''));
    expect(weights.length).toBeGreaterThan(10);
    for (const weight of weights) {
      const data = weight?.data as Float32Array;
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      const found = segments.some(({ offset, type, count, rowLength }) => {
        const there = file.subarray(offset, offset + 4 * count);
        const row = data.length / (weight?.dims[0] ?? 1);
        return type === 'float32' && rowLength === row && Buffer.compare(there, bytes) === 0;
      });
      expect(found).toBe(true);
    }
  });

  it('let zeros pay back in transfer, and the exact file come out', async () => {
    const pruned = writeModel(pruneModelByMagnitude(prepareModel(readModel(file)), 0.5));
    const dense = await encodeArtifact(file, 'best', tensorSegments(file));
    const { encoding, bytes } = await encodeArtifact(pruned, 'best', tensorSegments(pruned));
    expect(encoding).toBe('espalier-sparse');
    expect(bytes.length).toBeLessThan(0.6 * dense.bytes.length);
    const back = await decodeArtifact(encoding, bytes, {
      length: pruned.length,
      maxBytes: pruned.length,
    });
    expect(Buffer.compare(back, pruned)).toBe(0);
  }, 120_000);
});
