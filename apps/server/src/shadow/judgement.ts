import { createHash } from 'node:crypto';
import type { InputCard } from '@espalier/dataset';
import { outputFeatures } from '@espalier/evidence';
import { floatTensor, toFloat32, type Session } from '@espalier/onnx';
import { LIMITS, ProtocolError, spacedValues, unpackTensor } from '@espalier/protocol';
import type { DeviceOutput, Judgement, JudgeFault, WaitingSample } from './judge-messages.js';

/** A sample that cannot be judged for what it is. */
export class SampleFault extends Error {
  constructor(
    readonly code: JudgeFault,
    message: string,
  ) {
    super(message);
    this.name = 'SampleFault';
  }
}

/**
 * Runs the dense model on a sample, alone in its batch, and holds its output against the device's.
 * The sample is hostile until its dimensions fit the model's input and its bytes are so many values.
 * @throws SampleFault SHADOW_SHAPE, SHADOW_INPUT, SHADOW_OUTPUT
 */
export async function judge(
  session: Session,
  card: InputCard | undefined,
  sample: WaitingSample,
): Promise<Judgement> {
  const name = card?.input.name ?? session.inputNames[0] ?? '';
  const rows = rowsOf(session, name, sample.dims);
  const count = sample.dims.reduce((product, dim) => product * dim, 1);
  if (count > LIMITS.shadowInputValues) {
    throw new SampleFault('SHADOW_SHAPE', `It has ${count} values.`);
  }
  const values = unpacked(sample, count);
  const fed = new Float32Array(rows * count);
  for (let row = 0; row < rows; row += 1) fed.set(values, row * count);
  const outputName = card?.output?.name ?? session.outputNames[0] ?? '';
  const outputs = await session.run({ [name]: floatTensor([rows, ...sample.dims], fed) }, [
    outputName,
  ]);
  const output = outputs[outputName];
  if (!output) throw new SampleFault('SHADOW_OUTPUT', `The model has no output ${outputName}.`);
  const all = toFloat32(output);
  const scores = all.slice(0, all.length / rows);
  const inputSha256 = createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');
  return { id: sample.id, inputSha256, ...compare(scores, card, sample.output) };
}

/** Rows of the model's batch, once a sample is known to fit. */
function rowsOf(session: Session, name: string, dims: readonly number[]): number {
  if (session.inputNames.length !== 1) {
    throw new SampleFault('SHADOW_SHAPE', 'The model has more than one input.');
  }
  const [batch, ...wanted] = session.inputDims[name] ?? [];
  const fits =
    batch !== undefined &&
    wanted.length === dims.length &&
    wanted.every((dim, axis) => typeof dim !== 'number' || dim === dims[axis]);
  if (!fits) {
    const shape = wanted.map((dim) => dim ?? '?').join(', ');
    throw new SampleFault(
      'SHADOW_SHAPE',
      `The model's ${name} takes (${shape}); the sample has (${dims.join(', ')}).`,
    );
  }
  return typeof batch === 'number' ? batch : 1;
}

function unpacked({ encoding, input }: WaitingSample, count: number): Float32Array {
  try {
    return unpackTensor({ encoding, bytes: input }, count);
  } catch (cause) {
    if (!(cause instanceof ProtocolError)) throw cause;
    throw new SampleFault('SHADOW_INPUT', cause.message);
  }
}

/** What the device's model said against the dense model's scores. */
function compare(
  scores: Float32Array,
  card: InputCard | undefined,
  output: DeviceOutput,
): Pick<Judgement, 'dense' | 'agreed' | 'distance'> {
  const classifies = scores.length > 1 && (card?.task ?? 'classification') === 'classification';
  if (output.kind === 'class') {
    if (!classifies || output.predicted >= scores.length) {
      throw new SampleFault('SHADOW_OUTPUT', `The model has no class ${output.predicted}.`);
    }
    const dense = outputFeatures(scores, card?.output?.kind);
    return { dense, agreed: dense.predicted === output.predicted, distance: null };
  }
  const bytes = Uint8Array.from(Buffer.from(output.data, 'base64'));
  const expected = spacedValues(scores);
  if (classifies || output.length !== scores.length || bytes.byteLength !== expected.byteLength) {
    throw new SampleFault('SHADOW_OUTPUT', `The output is not the ${scores.length} values.`);
  }
  return {
    dense: null,
    agreed: null,
    distance: distanceOf(expected, new Float32Array(bytes.buffer)),
  };
}

/**
 * Squared distance of the values from the dense ones over the dense ones' square: 0 where they are
 * the same, 1 where all the signal is lost.
 * @throws SampleFault SHADOW_OUTPUT when it is not finite
 */
function distanceOf(dense: Float32Array, values: Float32Array): number {
  let error = 0;
  let square = 0;
  dense.forEach((value, at) => {
    error += (value - (values[at] ?? 0)) ** 2;
    square += value ** 2;
  });
  const distance = error === 0 ? 0 : error / square;
  if (!Number.isFinite(distance)) {
    throw new SampleFault('SHADOW_OUTPUT', 'The distance of the outputs is not finite.');
  }
  return distance;
}
