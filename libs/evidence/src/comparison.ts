/** Labelled samples, and how many of them were right. */
export interface Labelled {
  readonly labels: number;
  readonly correct: number;
}

export type Arm = 'treated' | 'control';

/** What a comparison says; changes are shares, so 0.01 is a point of accuracy. */
export interface ChangeEstimate {
  /** Change of the treated devices beyond that of the controls; negative is a loss. */
  readonly effect: number;
  readonly variance: number;
  readonly labels: Readonly<Record<Arm, number>>;
  readonly devices: Readonly<Record<Arm, number>>;
}

interface Device {
  readonly arm: Arm;
  readonly baseline: number;
  readonly baselineLabels: number;
  labels: number;
  correct: number;
  /** Its weight in the effect, before it is divided by the sum. */
  weight: number;
}

interface Block {
  readonly labels: Record<Arm, number>;
  /** Correct beyond what the devices' baselines say. */
  readonly excess: Record<Arm, number>;
  /** Labels of each device, by its index. */
  readonly byDevice: number[];
}

const SHIFT_DEVICES = 8;
const SHIFT_REFRESH = 1.1;

/**
 * Compares the accuracy of treated devices with that of controls over the same time, each device
 * with itself before: a difference in differences over blocks of time, weighed as in a linear model
 * with an effect of each block. What is common to both arms (drift) falls out within a block; what a
 * device always had (correlation within the device) falls out with its baseline. What a device
 * gains or loses by itself meanwhile is a variance of its own, estimated from the devices' spread
 * (DerSimonian and Laird) and never below `deviceShift`².
 */
export class ChangeComparison {
  private readonly devices: Device[] = [];
  private readonly blocks = new Map<number, Block>();
  private readonly labels: Record<Arm, number> = { treated: 0, control: 0 };
  private readonly reporting: Record<Arm, number> = { treated: 0, control: 0 };
  /** Sums over devices of weight² / baseline labels, and of weight². */
  private baselineNoise = 0;
  private squares = 0;
  private information = 0;
  private effectSum = 0;
  private within = { sum: 0.25, degrees: 1 };
  private shift: { variance: number; labels: number } | null = null;

  /** @param deviceShift standard deviation of a device's own change that is always allowed for */
  constructor(private readonly deviceShift: number) {}

  /**
   * Adds a device with what it showed before the rollout began.
   * @returns its index for {@link add}
   */
  addDevice(arm: Arm, before: Labelled): number {
    if (before.labels <= 0) throw new RangeError('A device without a baseline cannot be compared.');
    this.countWithin(before, 1);
    return (
      this.devices.push({
        arm,
        baseline: before.correct / before.labels,
        baselineLabels: before.labels,
        labels: 0,
        correct: 0,
        weight: 0,
      }) - 1
    );
  }

  /** Adds what a device showed within a block of time, the same blocks for all devices. */
  add(index: number, blockNumber: number, labelled: Labelled): void {
    this.addBlock(blockNumber, [{ index, ...labelled }]);
  }

  /** Adds what several devices showed within a block of time; in one go, which costs less. */
  addBlock(blockNumber: number, cells: readonly ({ readonly index: number } & Labelled)[]): void {
    const block = this.blockAt(blockNumber);
    const before = shares(block);
    this.withdraw(block, before);
    for (const { index, labels, correct } of cells) {
      const device = this.devices[index];
      if (!device || labels === 0) continue;
      const { arm } = device;
      if (device.labels > 0) this.countWithin(device, -1);
      else this.reporting[arm] += 1;
      device.labels += labels;
      device.correct += correct;
      this.countWithin(device, 1);
      this.labels[arm] += labels;
      block.labels[arm] += labels;
      block.excess[arm] += correct - labels * device.baseline;
      block.byDevice[index] = (block.byDevice[index] ?? 0) + labels;
      // At the share that held before; the change of shares comes over all devices below.
      this.changeWeight(device, before[arm] * labels);
    }
    const after = shares(block);
    this.deposit(block, after);
    this.reweigh(block, before, after);
  }

  /** The effect so far; null while no block has labels of both arms. */
  estimate(): ChangeEstimate | null {
    const { information: weight } = this;
    if (!(weight > 0)) return null;
    const noise = this.within.sum / this.within.degrees;
    const spread = noise * this.baselineNoise + this.shiftVariance(noise) * this.squares;
    return {
      effect: this.effectSum / weight,
      variance: noise / weight + spread / (weight * weight),
      labels: { ...this.labels },
      devices: { ...this.reporting },
    };
  }

  /** Estimated anew whenever a tenth more labels are there. */
  private shiftVariance(noise: number): number {
    const total = this.labels.treated + this.labels.control;
    if (!this.shift || total >= this.shift.labels * SHIFT_REFRESH) {
      this.shift = { variance: this.estimateShift(noise), labels: total };
    }
    return Math.max(this.shift.variance, this.deviceShift ** 2);
  }

  private estimateShift(noise: number): number {
    const drift = new Map<number, number>();
    for (const [number, { labels, excess }] of this.blocks) {
      if (labels.control > 0) drift.set(number, excess.control / labels.control);
    }
    const byArm: Record<Arm, { change: number; weight: number }[]> = { treated: [], control: [] };
    this.devices.forEach((device, index) => {
      let labels = 0;
      let drifted = 0;
      for (const [number, value] of drift) {
        const here = this.blocks.get(number)?.byDevice[index] ?? 0;
        labels += here;
        drifted += here * value;
      }
      if (labels === 0 || labels < device.labels) return;
      const change = (device.correct - drifted) / labels - device.baseline;
      const weight = 1 / (noise * (1 / labels + 1 / device.baselineLabels));
      byArm[device.arm].push({ change, weight });
    });
    return spreadBeyondNoise([byArm.treated, byArm.control]);
  }

  private blockAt(number: number): Block {
    const known = this.blocks.get(number);
    if (known) return known;
    const block: Block = {
      labels: { treated: 0, control: 0 },
      excess: { treated: 0, control: 0 },
      byDevice: [],
    };
    this.blocks.set(number, block);
    return block;
  }

  private withdraw(block: Block, share: Record<Arm, number>): void {
    this.information -= share.treated * block.labels.treated;
    this.effectSum -= share.treated * block.excess.treated - share.control * block.excess.control;
  }

  private deposit(block: Block, share: Record<Arm, number>): void {
    this.information += share.treated * block.labels.treated;
    this.effectSum += share.treated * block.excess.treated - share.control * block.excess.control;
  }

  private reweigh(block: Block, before: Record<Arm, number>, after: Record<Arm, number>): void {
    const treated = after.treated - before.treated;
    const control = after.control - before.control;
    const { byDevice } = block;
    for (let index = 0; index < byDevice.length; index += 1) {
      const labels = byDevice[index];
      const device = labels ? this.devices[index] : undefined;
      if (!device || !labels) continue;
      this.changeWeight(device, (device.arm === 'treated' ? treated : control) * labels);
    }
  }

  private changeWeight(device: Device, by: number): void {
    const grown = by * (2 * device.weight + by);
    device.weight += by;
    this.squares += grown;
    this.baselineNoise += grown / device.baselineLabels;
  }

  private countWithin({ labels, correct }: Labelled, sign: 1 | -1): void {
    this.within.sum += (sign * correct * (labels - correct)) / labels;
    this.within.degrees += sign * (labels - 1);
  }
}

/** Weight of a label of each arm in a block: that of a difference of means, by its precision. */
function shares({ labels }: Block): Record<Arm, number> {
  const total = labels.treated + labels.control;
  if (total === 0) return { treated: 0, control: 0 };
  return { treated: labels.control / total, control: labels.treated / total };
}

/** Variance between devices beyond what their numbers of labels explain, each arm around its mean. */
function spreadBeyondNoise(
  arms: readonly (readonly { readonly change: number; readonly weight: number }[])[],
): number {
  let excess = 0;
  let scale = 0;
  let devices = 0;
  for (const arm of arms) {
    if (arm.length < 2) continue;
    const weight = arm.reduce((sum, one) => sum + one.weight, 0);
    const mean = arm.reduce((sum, one) => sum + one.weight * one.change, 0) / weight;
    excess += arm.reduce((sum, one) => sum + one.weight * (one.change - mean) ** 2, 0);
    excess -= arm.length - 1;
    scale += weight - arm.reduce((sum, one) => sum + one.weight ** 2, 0) / weight;
    devices += arm.length;
  }
  if (devices < SHIFT_DEVICES || scale <= 0) return 0;
  // An estimate from few devices may well be too small: its standard error is added twice.
  return Math.max(0, excess / scale) * (1 + 2 * Math.sqrt(2 / (devices - arms.length)));
}
