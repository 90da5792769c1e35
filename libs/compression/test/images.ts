import { type Dataset, seededRandom } from '@espalier/dataset';

/** Smooth random images: neighbouring positions agree, as in what networks are made for. */
export function images(dims: readonly number[], count: number, seed: number): Dataset {
  const random = seededRandom(seed);
  const size = dims.reduce((product, dim) => product * dim, 1);
  const data = new Float32Array(count * size);
  for (let sample = 0; sample < count; sample++) {
    const basis = Array.from(
      { length: 6 },
      () => [random.normal(), random.next(), random.next()] as const,
    );
    for (let i = 0; i < size; i++) {
      let value = 0.2 * random.normal();
      for (const [height, speed, phase] of basis) {
        value += height * Math.sin(0.4 * speed * i + 6 * phase);
      }
      data[sample * size + i] = value;
    }
  }
  return { count, x: { dtype: 'float32', dims: [count, ...dims], data } };
}
