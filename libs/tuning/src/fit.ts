/** Costs and the root mean squared relative error of the times that they give. */
export interface Fit {
  readonly costs: Float64Array;
  readonly error: number;
}

/** Relative error beyond which a sample counts less. */
const FAR_OFF = 0.15;
const ROUNDS = 3;
/** Slight pull to zero, which decides between features that no sample tells apart. */
const RIDGE = 1e-6;
const TOLERANCE = 1e-9;

/**
 * Finds costs >= 0 of amounts of work from measured times, for the same amounts again and again: the
 * buffers are made once, for a fleet is planned with thousands of tables.
 */
export class CostFit {
  private readonly width: number;
  private readonly scale: Float64Array;
  /** Rows one after another, each column over its largest value. */
  private readonly rows: Float64Array;
  private readonly gram: Float64Array;
  private readonly moment: Float64Array;
  private readonly weighted: Float64Array;
  private readonly solver: ActiveSet;

  /** @param rows amounts of work of each sample */
  constructor(rows: readonly (readonly number[])[]) {
    const width = rows[0]?.length ?? 0;
    this.width = width;
    this.scale = new Float64Array(width);
    for (const row of rows) {
      for (let i = 0; i < width; i++) {
        this.scale[i] = Math.max(this.scale[i] ?? 0, Math.abs(row[i] ?? 0));
      }
    }
    this.rows = new Float64Array(rows.length * width);
    rows.forEach((row, at) => {
      for (let i = 0; i < width; i++) {
        const by = this.scale[i] ?? 0;
        this.rows[at * width + i] = by > 0 ? (row[i] ?? 0) / by : 0;
      }
    });
    this.gram = new Float64Array(width * width);
    this.moment = new Float64Array(width);
    this.weighted = new Float64Array(rows.length);
    this.solver = new ActiveSet(this.gram, this.moment, width);
  }

  /**
   * The costs that come nearest, relative errors counted. What lies far off was disturbed while it was
   * measured: it counts for less in the next of a few rounds (iteratively reweighted least squares
   * with Huber's weights).
   * @param times milliseconds of each sample @param weights of each; 0: not measured
   */
  fit(times: readonly number[], weights: readonly number[]): Fit {
    const { weighted } = this;
    weighted.set(weights);
    let costs = this.solve(times, weighted);
    for (let round = 1; round < ROUNDS; round++) {
      let far = false;
      for (let at = 0; at < times.length; at++) {
        const weight = weights[at] ?? 0;
        const error = Math.abs(this.product(at, costs) - (times[at] ?? 0)) * weight;
        if (error > FAR_OFF) far = true;
        weighted[at] = error > FAR_OFF ? weight * Math.sqrt(FAR_OFF / error) : weight;
      }
      if (!far) break;
      costs = this.solve(times, weighted);
    }
    let [squares, count] = [0, 0];
    for (let at = 0; at < times.length; at++) {
      const weight = weights[at] ?? 0;
      if (weight === 0) continue;
      squares += ((this.product(at, costs) - (times[at] ?? 0)) * weight) ** 2;
      count++;
    }
    for (let i = 0; i < this.width; i++) {
      const by = this.scale[i] ?? 0;
      costs[i] = by > 0 ? (costs[i] ?? 0) / by : 0;
    }
    return { costs, error: Math.sqrt(squares / Math.max(1, count)) };
  }

  private product(at: number, costs: Float64Array): number {
    let sum = 0;
    const start = at * this.width;
    for (let i = 0; i < this.width; i++) sum += (this.rows[start + i] ?? 0) * (costs[i] ?? 0);
    return sum;
  }

  private solve(times: readonly number[], weights: Float64Array): Float64Array {
    const { gram, moment, rows, width } = this;
    gram.fill(0);
    moment.fill(0);
    for (let at = 0; at < times.length; at++) {
      const squared = (weights[at] ?? 0) ** 2;
      if (squared === 0) continue;
      const start = at * width;
      const target = (times[at] ?? 0) * squared;
      for (let i = 0; i < width; i++) {
        const a = rows[start + i] ?? 0;
        if (a === 0) continue;
        moment[i] = (moment[i] ?? 0) + a * target;
        for (let j = 0; j <= i; j++) {
          gram[i * width + j] = (gram[i * width + j] ?? 0) + a * squared * (rows[start + j] ?? 0);
        }
      }
    }
    // Relative to the largest entry, for times have any scale.
    let largest = 0;
    for (let i = 0; i < width; i++) largest = Math.max(largest, gram[i * width + i] ?? 0);
    for (let i = 0; i < width; i++) {
      gram[i * width + i] = (gram[i * width + i] ?? 0) + RIDGE * largest;
      for (let j = i + 1; j < width; j++) gram[i * width + j] = gram[j * width + i] ?? 0;
    }
    return this.solver.solve(RIDGE * largest);
  }
}

/**
 * The active set method of Lawson and Hanson from the full set: what comes out negative leaves, and
 * returns where the error would fall with it.
 */
class ActiveSet {
  private readonly active: Uint8Array;
  private readonly at: Int32Array;
  private readonly lower: Float64Array;
  private readonly x: Float64Array;

  constructor(
    private readonly gram: Float64Array,
    private readonly moment: Float64Array,
    private readonly width: number,
  ) {
    this.active = new Uint8Array(width);
    this.at = new Int32Array(width);
    this.lower = new Float64Array(width * width);
    this.x = new Float64Array(width);
  }

  /** @param floor what the diagonal holds of a feature that no sample has */
  solve(floor: number): Float64Array {
    const { active, gram, width } = this;
    const costs = new Float64Array(width);
    for (let i = 0; i < width; i++) active[i] = (gram[i * width + i] ?? 0) > floor ? 1 : 0;
    this.factor(costs, floor);
    for (let round = 0; round < 2 * width; round++) {
      if (this.dropNegative(costs)) {
        this.factor(costs, floor);
        continue;
      }
      const best = this.steepest(costs, floor);
      if (best === null) break;
      active[best] = 1;
      this.factor(costs, floor);
      if ((costs[best] ?? 0) <= 0) {
        active[best] = 0;
        this.factor(costs, floor);
        break;
      }
    }
    for (let i = 0; i < width; i++) costs[i] = Math.max(0, costs[i] ?? 0);
    return costs;
  }

  private dropNegative(costs: Float64Array): boolean {
    let dropped = false;
    for (let i = 0; i < this.width; i++) {
      if ((costs[i] ?? 0) >= 0) continue;
      this.active[i] = 0;
      dropped = true;
    }
    return dropped;
  }

  /** The inactive feature with which the error would fall fastest; null: it would with none. */
  private steepest(costs: Float64Array, floor: number): number | null {
    const { gram, moment, width } = this;
    let best: number | null = null;
    let most = TOLERANCE * (floor / RIDGE);
    for (let i = 0; i < width; i++) {
      if (this.active[i] || (gram[i * width + i] ?? 0) <= floor) continue;
      let pull = moment[i] ?? 0;
      for (let j = 0; j < width; j++) pull -= (gram[i * width + j] ?? 0) * (costs[j] ?? 0);
      if (pull > most) [best, most] = [i, pull];
    }
    return best;
  }

  /** Solves for the active costs by Cholesky factors; the others are 0. */
  private factor(costs: Float64Array, floor: number): void {
    const { at, gram, lower, moment, width, x } = this;
    let size = 0;
    for (let i = 0; i < width; i++) if (this.active[i]) at[size++] = i;
    for (let r = 0; r < size; r++) {
      const row = (at[r] ?? 0) * width;
      for (let c = 0; c <= r; c++) {
        let sum = gram[row + (at[c] ?? 0)] ?? 0;
        for (let k = 0; k < c; k++) {
          sum -= (lower[r * width + k] ?? 0) * (lower[c * width + k] ?? 0);
        }
        lower[r * width + c] =
          r === c ? Math.sqrt(Math.max(sum, floor / 2)) : sum / (lower[c * width + c] ?? 1);
      }
      let sum = moment[at[r] ?? 0] ?? 0;
      for (let k = 0; k < r; k++) sum -= (lower[r * width + k] ?? 0) * (x[k] ?? 0);
      x[r] = sum / (lower[r * width + r] ?? 1);
    }
    costs.fill(0);
    for (let r = size - 1; r >= 0; r--) {
      let sum = x[r] ?? 0;
      for (let k = r + 1; k < size; k++) sum -= (lower[k * width + r] ?? 0) * (x[k] ?? 0);
      x[r] = sum / (lower[r * width + r] ?? 1);
      costs[at[r] ?? 0] = x[r] ?? 0;
    }
  }
}
