import {
  edit,
  elementCount,
  graphOf,
  inferShapes,
  openSession,
  tensorOf,
  type DType,
  type Model,
  type Tensor,
} from '../src/index.js';

/** Small values of a given type, none of them negative. */
export function filled(dtype: DType, dims: readonly number[]): Tensor {
  const count = elementCount(dims);
  const bits = Array.from({ length: count }, (_, i) => i % 2);
  switch (dtype) {
    case 'float32':
      return tensorOf(
        dtype,
        dims,
        Float32Array.from({ length: count }, (_, i) => (i % 17) / 8),
      );
    case 'int64':
      return tensorOf(dtype, dims, BigInt64Array.from(bits, BigInt));
    case 'int8':
      return tensorOf(dtype, dims, Int8Array.from(bits));
    default:
      return tensorOf(dtype, dims, Uint8Array.from(bits));
  }
}

export function feedsFor(model: Model, batch: number): Record<string, Tensor> {
  return Object.fromEntries(
    graphOf(model).inputs.map(({ name, dtype, shape }) => [
      name,
      filled(
        dtype,
        shape.map((dim) => (typeof dim === 'number' ? dim : batch)),
      ),
    ]),
  );
}

export interface Difference {
  readonly name: string;
  readonly op: string;
  readonly inferred: string;
  readonly real: string;
}

/** Run every value of a model in ONNX Runtime and list those whose shape or type was inferred wrong. */
export async function shapeDifferences(model: Model, batch: number): Promise<Difference[]> {
  const graph = graphOf(model);
  const shapes = inferShapes(model, { batch });
  const editor = edit(model);
  const names = graph.nodes.flatMap((node) => node.outputs).filter((name) => name !== '');
  for (const name of names) editor.addOutput(name, shapes.get(name)?.dtype ?? 'undefined');
  const session = await openSession(editor.done(), { optimization: 'disabled' });
  try {
    const real = await session.run(feedsFor(model, batch));
    return names
      .map((name) => {
        const found = shapes.get(name);
        return {
          name,
          op: graph.producer(name)?.op ?? '',
          inferred: `${found?.dtype ?? '?'}[${found?.dims?.join() ?? '?'}]`,
          real: `${real[name]?.dtype ?? '?'}[${real[name]?.dims.join() ?? '?'}]`,
        };
      })
      .filter(({ inferred, real: value }) => inferred !== value);
  } finally {
    await session.release();
  }
}
