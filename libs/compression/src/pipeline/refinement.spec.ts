import { allocate, type Choices } from '../search/allocate.js';
import type { MeasuredLoss } from '../search/measured-loss.js';
import type { Widths } from '../search/widths.js';
import { refineChoices } from './refinement.js';

const WIDTHS = [8, 6, 4, 2];
const curve = (slope: number): Choices => ({
  widths: WIDTHS,
  losses: WIDTHS.map((width) => slope * (8 - width) ** 2),
});

/** The cost of three layers that share a budget of channels. */
const cost = (widths: Widths): number => widths.slice(0, 3).reduce((a, b) => a + b, 0);
const propose = (choices: readonly Choices[]): Promise<Widths> =>
  Promise.resolve(allocate(choices, cost, 16).widths);

/** A stand-in for measuring: what is expected of each group is wrong by a factor of its own. */
function measuring(
  truth: (widths: Widths) => number,
): Pick<MeasuredLoss, 'of' | 'ofBlocks' | 'refine'> & { measured: Widths[] } {
  const measured: Widths[] = [];
  return {
    measured,
    of: (widths: Widths) => {
      measured.push(widths);
      return Promise.resolve(truth(widths));
    },
    ofBlocks: () => Promise.resolve([]),
    refine: (choices: readonly Choices[], proposal: Widths) =>
      Promise.resolve(
        choices.map((each, g) => {
          const width = proposal[g] === 8 ? 6 : proposal[g]!;
          const scale = truth([8, 8, 8].with(g, width)) / each.losses[WIDTHS.indexOf(width)]!;
          return { ...each, losses: each.losses.map((loss) => loss * scale) };
        }),
      ),
  };
}

const groups = [0, 1, 2] as never[];

describe('refining a proposal', () => {
  it('cuts where measuring shows that it costs little, not where it was expected to', async () => {
    const truth = (widths: Widths): number =>
      0.001 * (8 - widths[0]!) ** 2 + 0.2 * (8 - widths[1]!) ** 2 + 0.2 * (8 - widths[2]!) ** 2;
    const choices = [curve(0.3), curve(0.1), curve(0.1)];
    const bench = { choices, groups, measuredLoss: measuring(truth) };
    const refined = await propose(await refineChoices(bench, propose, 6, {}));
    expect(truth(refined)).toBeLessThan(truth(await propose(choices)));
    expect(refined[0]).toBe(2);
  });

  it('keeps the first proposal where none is measured to be better', async () => {
    const truth = (widths: Widths): number => (widths.join() === '6,6,4' ? 0 : 1);
    const choices = [curve(0.11), curve(0.11), curve(0.1)];
    expect(await propose(choices)).toEqual([6, 6, 4]);
    const bench = { choices, groups, measuredLoss: measuring(truth) };
    expect(await propose(await refineChoices(bench, propose, 6, {}))).toEqual([6, 6, 4]);
  });

  it('measures no more neighbours than it may', async () => {
    const measuredLoss = measuring((widths) => cost(widths));
    const bench = { choices: [curve(0.1), curve(0.1), curve(0.1)], groups, measuredLoss };
    await refineChoices(bench, propose, 1, {});
    expect(measuredLoss.measured.length).toBeLessThanOrEqual(3 + 1);
  });
});
