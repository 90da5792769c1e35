/** Where a tensor has its channels: their number, and how many values of one stand together. */
export interface ChannelLayout {
  readonly channels: number;
  readonly inner: number;
}

/** What a sketch keeps of one input tensor. */
export interface InputFeatures {
  /** Mean of each channel; empty when there are more than {@link MOST_CHANNELS}. */
  readonly channelMeans: readonly number[];
  /** Mean of all values. */
  readonly brightness: number;
  /** Standard deviation of all values. */
  readonly contrast: number;
}

/** What a sketch keeps of one row of scores. */
export interface OutputFeatures {
  readonly predicted: number;
  /** Log odds of the largest probability. */
  readonly confidence: number;
}

/** Most channels that have a histogram of their own. */
export const MOST_CHANNELS = 4;
/** Log odds are kept within this, beyond which float32 probabilities are 0 or 1. */
const MOST_LOG_ODDS = 16;
/** How far the sum of a row of probabilities may be from 1. */
const SUM_TOLERANCE = 1e-3;

/**
 * Reads the channel axis off a sample's dimensions.
 * @param dims without the batch @param layout of images; without one, a leading axis of at most
 * {@link MOST_CHANNELS} is taken for the channels, else the last axis
 */
export function channelLayout(
  dims: readonly number[],
  layout: 'NCHW' | 'NHWC' | undefined,
): ChannelLayout {
  const [first = 1] = dims;
  const last = dims.at(-1) ?? 1;
  if (dims.length < 3) return { channels: 1, inner: 1 };
  const leads = layout === 'NCHW' || (layout === undefined && first <= MOST_CHANNELS);
  if (!leads) return { channels: last, inner: 1 };
  return { channels: first, inner: dims.slice(1).reduce((product, dim) => product * dim, 1) };
}

/** @param values one sample as the model takes it */
export function inputFeatures(
  values: Float32Array,
  { channels, inner }: ChannelLayout,
): InputFeatures {
  const sums = new Float64Array(channels);
  let squares = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? 0;
    const channel = Math.floor(i / inner) % channels;
    sums[channel] = (sums[channel] ?? 0) + value;
    squares += value * value;
  }
  const size = Math.max(1, values.length);
  const brightness = sums.reduce((total, sum) => total + sum, 0) / size;
  const contrast = Math.sqrt(Math.max(0, squares / size - brightness * brightness));
  const own = channels > 1 && channels <= MOST_CHANNELS;
  const channelMeans = own ? Array.from(sums, (sum) => (sum * channels) / size) : [];
  return { channelMeans, brightness, contrast };
}

/**
 * Class and confidence of a row of scores.
 * @param kind of the scores; without one, a row of shares that sum to 1 is taken for probabilities
 */
export function outputFeatures(
  scores: Float32Array,
  kind?: 'logits' | 'probabilities',
): OutputFeatures {
  let predicted = 0;
  let sum = 0;
  let negative = false;
  scores.forEach((score, at) => {
    if (score > (scores[predicted] ?? 0)) predicted = at;
    sum += score;
    negative ||= score < 0;
  });
  const best = scores[predicted] ?? 0;
  const shares = kind ? kind === 'probabilities' : !negative && Math.abs(sum - 1) < SUM_TOLERANCE;
  let others = 0;
  scores.forEach((score, at) => {
    if (at !== predicted) others += shares ? score : Math.exp(score - best);
  });
  const logOdds = Math.log(shares ? best : 1) - Math.log(others);
  const confidence = Math.max(-MOST_LOG_ODDS, Math.min(MOST_LOG_ODDS, logOdds));
  return { predicted, confidence: Number.isNaN(confidence) ? 0 : confidence };
}
