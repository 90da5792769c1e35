import { obstaclesOf } from './obstacles.js';

type Report = Parameters<typeof obstaclesOf>[0];

const goal = (name: string, met: boolean) => ({ name, target: 1, achieved: met ? 1 : 2, met });

/** The parts of a report that obstacles are read from. */
const report = (goals: Report['goals'], precision: 'fp32' | 'int8' = 'fp32'): Report =>
  ({
    goals,
    variant: { precision, groups: { a: { of: 16, kept: [0, 1] }, b: { of: 8, kept: [0, 1, 2] } } },
    stages: [
      { name: 'refit', loss: 0.1, accuracy: 0.81, kept: true },
      { name: 'quantize', loss: 0.2, accuracy: 0.78, kept: true },
    ],
    sensitivity: ['a', 'b'].map((group, i) => ({
      group,
      points: [
        { kept: 16 >> i, loss: 0 },
        { kept: 2 >> i, loss: 1 },
      ],
    })),
  }) as unknown as Report;

const groups = [
  { name: 'a', of: 16, units: [], locked: [] },
  { name: 'y', of: 10, units: [], locked: [{ reason: '"y" is an output', channels: 10 }] },
];

describe('what stands in the way', () => {
  it('is nothing when every goal is met', () => {
    expect(obstaclesOf(report([goal('macs-ratio', true)]), groups)).toEqual([]);
  });

  it('of a cost: locked channels with their reasons, groups at their narrowest, the precision', () => {
    expect(obstaclesOf(report([goal('max-size-kib', false)]), groups)).toEqual([
      '10 of 26 channels cannot be cut: "y" is an output (10).',
      '1 of 2 groups are as narrow as they are offered, an eighth of their channels.',
      'Weights and activations are in floating point: try --precision int8 or auto.',
    ]);
    expect(obstaclesOf(report([goal('macs-ratio', false)], 'int8'), [])[0]).toBe(
      'No layer has channels that could be cut.',
    );
  });

  it('of accuracy: what each stage left of it', () => {
    expect(obstaclesOf(report([goal('max-accuracy-drop', false)]), groups)).toEqual([
      'Accuracy on held-back calibration samples, after each stage: refit 81.00 %, quantize 78.00 %.',
    ]);
  });
});
