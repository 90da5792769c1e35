import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import {
  type PlainLayer,
  plainLayerSchema,
  pruneByMagnitude,
  removeDeadNeurons,
} from './magnitude.js';

const layer: PlainLayer = {
  weights: [
    [0.1, 0.2, 0.3],
    [0.4, 0.5, 0.6],
  ],
  structure: [3, 2],
};

describe('pruning by magnitude', () => {
  it('makes weights at or under the threshold 0 and keeps the shape', () => {
    expect(pruneByMagnitude(layer, 0.4)).toEqual({
      weights: [
        [0, 0, 0],
        [0, 0.5, 0.6],
      ],
      structure: [3, 2],
    });
  });

  it('goes by the absolute value, and leaves its input as it was', () => {
    const signed: PlainLayer = { weights: [[-0.2, 0.2, -0.7]], structure: [3, 1] };
    expect(pruneByMagnitude(signed, 0.2).weights).toEqual([[0, 0, -0.7]]);
    expect(signed.weights).toEqual([[-0.2, 0.2, -0.7]]);
  });

  it('removes a neuron without weights together with its column in the next layer', () => {
    const next: PlainLayer = {
      weights: [
        [0.7, 0.8],
        [0.9, 0],
      ],
      structure: [2, 2],
    };
    expect(removeDeadNeurons([pruneByMagnitude(layer, 0.3), next])).toEqual([
      { weights: [[0.4, 0.5, 0.6]], structure: [3, 1] },
      { weights: [[0.8], [0]], structure: [1, 2] },
    ]);
  });

  it('does not change what the network computes when dead neurons go', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 2, maxLength: 5 }),
        fc.infiniteStream(fc.integer({ min: -2, max: 2 })),
        (widths, values) => {
          const next = (): number => Number(values.next().value);
          const layers = widths.slice(1).map((neurons, at): PlainLayer => {
            const inputs = widths[at] ?? 1;
            const row = (): number[] => Array.from({ length: inputs }, next);
            return { weights: Array.from({ length: neurons }, row), structure: [inputs, neurons] };
          });
          const input = Array.from({ length: widths[0] ?? 1 }, next);
          const pruned = layers.map((each) => pruneByMagnitude(each, 1));
          const smaller = removeDeadNeurons(pruned);
          expect(run(smaller, input)).toEqual(run(pruned, input));
          for (const each of smaller) expect(plainLayerSchema.safeParse(each).success).toBe(true);
        },
      ),
      { seed: 7 },
    );
  });

  it('refuses a layer whose weights do not fill its structure', () => {
    expect(plainLayerSchema.safeParse({ ...layer, structure: [2, 3] }).success).toBe(false);
  });

  it('has an example that runs', () => {
    const at = (path: string): string =>
      fileURLToPath(new URL(`../../../../${path}`, import.meta.url));
    const built = at('libs/compression/dist/weights/magnitude.js');
    if (!existsSync(built))
      throw new Error('Run `npm run build` first: the example reads what it makes.');
    const printed = execFileSync(process.execPath, [at('examples/weight-pruning.mjs')], {
      encoding: 'utf8',
    });
    expect(printed).toContain('[[0,0,0],[0.4,0.5,0.6]],"structure":[3,2]');
    expect(printed).toContain(
      '[[0.4,0.5,0.6]],"structure":[3,1]},{"weights":[[0.8]],"structure":[1,1]}',
    );
  });
});

function run(layers: readonly PlainLayer[], input: readonly number[]): number[] {
  return layers.reduce<number[]>(
    (values, { weights }) =>
      weights.map((row) =>
        Math.max(
          0,
          row.reduce((sum, w, i) => sum + w * (values[i] ?? 0), 0),
        ),
      ),
    [...input],
  );
}
