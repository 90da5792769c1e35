/** Spearman's rank correlation: Pearson's of the ranks, equal values sharing the mean of theirs. */
export function rankCorrelation(a: readonly number[], b: readonly number[]): number {
  const [x, y] = [ranks(a), ranks(b)];
  const mean = (x.length + 1) / 2;
  let [products, squaresX, squaresY] = [0, 0, 0];
  x.forEach((rank, at) => {
    const [dx, dy] = [rank - mean, (y[at] ?? 0) - mean];
    products += dx * dy;
    squaresX += dx * dx;
    squaresY += dy * dy;
  });
  return products / Math.sqrt(squaresX * squaresY);
}

function ranks(values: readonly number[]): number[] {
  return values.map((value) => {
    const below = values.filter((other) => other < value).length;
    const equal = values.filter((other) => other === value).length;
    return below + (equal + 1) / 2;
  });
}
