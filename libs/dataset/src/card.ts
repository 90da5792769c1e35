import { z } from 'zod';
import { DatasetError } from './errors.js';

const channelValues = z.array(z.number()).min(1).max(4096);

/** How samples become what the model takes: the value fed is `(x * scale - mean) / std`. */
export const inputCardSchema = z.object({
  task: z.string().min(1).default('classification'),
  input: z.object({
    /** The model's input; its first one when left out. */
    name: z.string().min(1).optional(),
    /** The model's layout of images. */
    layout: z.enum(['NCHW', 'NHWC']).optional(),
    scale: z.number().default(1),
    /** One value, or one a channel. */
    mean: channelValues.optional(),
    std: channelValues
      .refine((values) => values.every((value) => value > 0), 'must be above zero')
      .optional(),
  }),
  labels: z.array(z.string()).optional(),
  output: z
    .object({
      name: z.string().min(1).optional(),
      kind: z.enum(['logits', 'probabilities']).optional(),
    })
    .optional(),
});

export type InputCard = z.infer<typeof inputCardSchema>;

/** Check an input card: a JSON text or its value. @throws DatasetError CARD_INVALID */
export function parseCard(json: unknown): InputCard {
  let value = json;
  if (typeof json === 'string') {
    try {
      value = JSON.parse(json);
    } catch (cause) {
      throw new DatasetError('CARD_INVALID', 'The input card is no JSON.', { cause });
    }
  }
  const parsed = inputCardSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(
    ({ path, message }) => `${path.join('.') || 'card'}: ${message}`,
  );
  throw new DatasetError('CARD_INVALID', `The input card is not valid (${problems.join('; ')}).`);
}
