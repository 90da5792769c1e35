import type { Dataset } from './dataset.js';
import { seededRandom } from './random.js';

/** Two disjoint lists of sample indices, ascending. */
export interface Split {
  readonly fit: number[];
  readonly gate: number[];
}

/**
 * Split samples in two, each class in the same share where labels exist; the same seed gives the same
 * split. @param fitShare share of `fit`, from 0 to 1
 */
export function splitDataset(dataset: Dataset, seed: number, fitShare = 0.75): Split {
  const random = seededRandom(seed);
  const classes = new Map<number, number[]>();
  for (let index = 0; index < dataset.count; index++) {
    const label = dataset.y?.[index] ?? 0;
    const members = classes.get(label);
    if (members === undefined) classes.set(label, [index]);
    else members.push(index);
  }
  const fit: number[] = [];
  const gate: number[] = [];
  // Shares are rounded over the running total, so that small classes do not add up to a bias.
  let seen = 0;
  for (const label of [...classes.keys()].sort((a, b) => a - b)) {
    const members = random.shuffle(classes.get(label) ?? []);
    seen += members.length;
    const take = Math.round(seen * fitShare) - fit.length;
    fit.push(...members.slice(0, take));
    gate.push(...members.slice(take));
  }
  const ascending = (a: number, b: number): number => a - b;
  return { fit: fit.sort(ascending), gate: gate.sort(ascending) };
}
