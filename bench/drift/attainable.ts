/**
 * The most that any procedure can detect of a class that becomes `factor` times as frequent, in a
 * stream of runs of one class each. Without drift it raises at most one alarm in `runsPerFalseAlarm`
 * runs, so within any `runs` of them with a probability of at most their ratio; by Neyman and Pearson
 * no test of that level, even one told the class and when the drift begins, has more power than the
 * one on the number of the class's runs.
 */
export function mostThatAnyTestDetects(asked: {
  readonly share: number;
  readonly factor: number;
  readonly runs: number;
  readonly runsPerFalseAlarm: number;
}): number {
  const { share, factor, runs, runsPerFalseAlarm } = asked;
  let level = runs / runsPerFalseAlarm;
  let power = 0;
  for (let hits = runs; hits >= 0; hits -= 1) {
    const without = binomial(hits, runs, share);
    // The last number of hits alarms by chance, as often as the level allows.
    const part = Math.min(1, level / without);
    power += part * binomial(hits, runs, share * factor);
    level -= part * without;
    if (level <= 0) break;
  }
  return power;
}

function binomial(hits: number, trials: number, share: number): number {
  let log = hits * Math.log(share) + (trials - hits) * Math.log1p(-share);
  for (let k = 1; k <= hits; k += 1) log += Math.log((trials - hits + k) / k);
  return Math.exp(log);
}
