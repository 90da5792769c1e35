import type { Dataset } from '@espalier/dataset';
import { agreement, classesOf, type Outputs } from '../evaluate.js';

/**
 * Signs that samples, or the card that says how they are fed, are not what the model was made for: a
 * sentence each. The figures of a report stand on them.
 * @param outputs of the original model
 * @param labels of the same samples, where they are known
 * @param where what the samples are called
 */
export function warningsOf(
  outputs: Outputs,
  labels: ArrayLike<number> | undefined,
  where: string,
): string[] {
  const classes = classesOf(outputs);
  if (outputs.width < 2 || classes.length < 2) return [];
  const advice = 'Check the data, and scale, mean, std and layout in the card.';
  if (classes.every((each) => each === classes[0])) {
    return [
      `The original model decides for class ${classes[0] ?? 0} on all ${classes.length} ${where}, so that accuracy and agreement there say little. ${advice}`,
    ];
  }
  if (!labels) return [];
  const counts = new Map<number, number>();
  for (const label of Array.from(labels)) counts.set(label, (counts.get(label) ?? 0) + 1);
  const usual = Math.max(...counts.values()) / classes.length;
  const right = agreement(classes, labels);
  if (right > usual) return [];
  return [
    `The original model is right on ${percent(right)} of the ${classes.length} ${where}; to name the most frequent class always would be right on ${percent(usual)}. ${advice}`,
  ];
}

/** Says where the samples that judge a variant are those that it was fitted on; else nothing. */
export function sharedSamples(calibration: Dataset, evaluation: Dataset | undefined): string[] {
  if (!evaluation || evaluation.count !== calibration.count) return [];
  if (!bytesOf(calibration).equals(bytesOf(evaluation))) return [];
  return [
    `The evaluation data holds the same ${evaluation.count} samples as the calibration data, which the variant was fitted on, so that what is measured there is no independent evidence. Evaluate on samples that are not among them.`,
  ];
}

const bytesOf = ({ x: { data } }: Dataset): Buffer =>
  Buffer.from(data.buffer, data.byteOffset, data.byteLength);

const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;
