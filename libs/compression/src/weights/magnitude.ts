import { z } from 'zod';

/**
 * A fully connected layer in its plainest form: `weights[neuron][input]`, and `structure`, the number
 * of inputs and of neurons.
 */
export const plainLayerSchema = z
  .object({
    weights: z.array(z.array(z.number()).min(1)).min(1),
    structure: z.tuple([z.number().int().positive(), z.number().int().positive()]),
  })
  .refine(
    ({ weights, structure: [inputs, neurons] }) =>
      weights.length === neurons && weights.every((row) => row.length === inputs),
    'weights must have a row for each neuron and in it a number for each input, as structure says',
  );
export type PlainLayer = z.infer<typeof plainLayerSchema>;

/**
 * Magnitude pruning: weights whose absolute value is at or under the threshold become 0; the shape
 * stays. (Han and others 2015, "Learning both weights and connections".)
 */
export function pruneByMagnitude(
  { weights, structure: [inputs, neurons] }: PlainLayer,
  threshold: number,
): PlainLayer {
  return {
    weights: weights.map((row) => row.map((w) => (Math.abs(w) <= threshold ? 0 : w))),
    structure: [inputs, neurons],
  };
}

/**
 * Removes every neuron whose weights are all 0, together with its column in the next layer; that may
 * leave a neuron there without weights, which then goes too. The last layer's neurons are the outputs
 * and stay, and so does one neuron of a layer that would lose all. Neurons have no bias in this form
 * and their activation gives 0 for 0 (ReLU, tanh), so the network computes what it did.
 * @param layers in their order; the neurons of one are the inputs of the next
 */
export function removeDeadNeurons(layers: readonly PlainLayer[]): PlainLayer[] {
  const out: PlainLayer[] = [];
  let inputs: readonly number[] | undefined;
  for (const [at, layer] of layers.entries()) {
    const kept: readonly number[] | undefined = inputs;
    const rows = layer.weights.map((row) => (kept ? kept.map((i) => row[i] ?? 0) : row));
    const all = rows.map((_, neuron) => neuron);
    const live = all.filter((neuron) => rows[neuron]?.some((w) => w !== 0));
    const stay = at === layers.length - 1 ? all : live.length > 0 ? live : [0];
    out.push({
      weights: stay.map((neuron) => [...(rows[neuron] ?? [])]),
      structure: [rows[0]?.length ?? 0, stay.length],
    });
    inputs = stay;
  }
  return out;
}
