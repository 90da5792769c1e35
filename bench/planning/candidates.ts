import type { Random } from '@espalier/dataset';
import type { Model } from '@espalier/onnx';
import { type Candidate, describeCandidate } from '@espalier/tuning';
import { logUniform } from './fleet.js';

/** Accuracy of the uncut candidate, and what a halving of the work costs, and int8, in shares. */
const BEST = 0.92;
const LOST_PER_HALVING = 0.018;
const LOST_BY_INT8 = 0.006;
/** How far the largest candidate is from the smallest, in work. */
const RANGE = 16;

/**
 * Candidates of many sizes in both precisions, as a compression would offer them: the costs are those
 * of the model with its widths scaled, the accuracies are drawn around a falling curve.
 */
export function makeCandidates(model: Model, count: number, random: Random): Candidate[] {
  const precisions = ['fp32', 'int8'] as const;
  const sizes = count / precisions.length;
  const whole = precisions.map((precision) => describeCandidate(model, precision));
  return Array.from({ length: sizes }, (_value, at) => {
    const share = RANGE ** -(at / Math.max(1, sizes - 1));
    const width = Math.sqrt(share);
    return whole.map((costs): Candidate => {
      const { precision } = costs;
      const scaled = (channels: number) => Math.max(4, Math.round((channels * width) / 4) * 4);
      const nodes = costs.nodes.map((node) => {
        if (node.kind === 'transpose') return node;
        const depthwise = node.group > 1;
        const cin = node.inputs.includes(-1) ? node.cin : scaled(node.cin);
        const cout = scaled(node.cout);
        return { ...node, cin: depthwise ? cout : cin, cout, group: depthwise ? cout : 1 };
      });
      const weightBytes = Math.round(costs.weightBytes * share);
      const arenaBytes = Math.round(costs.arenaBytes * width);
      const lost = LOST_PER_HALVING * -Math.log2(share) + (precision === 'int8' ? LOST_BY_INT8 : 0);
      return {
        id: `${precision}-${String(Math.round(100 * share)).padStart(3, '0')}`,
        precision,
        costs: { ...costs, nodes, weightBytes, arenaBytes },
        accuracy: BEST - lost * logUniform(random, 0.8, 1.25),
        fidelity: null,
        artifactBytes: weightBytes,
        modelBytes: weightBytes,
        peakRamBytes: weightBytes + arenaBytes,
      };
    });
  }).flat();
}
