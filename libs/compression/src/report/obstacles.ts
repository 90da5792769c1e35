import type { ChannelGroup } from '../channels/channel-graph.js';
import type { CompressionReport } from './report.js';

/** Reasons that are named; the rest are only counted. */
const NAMED = 3;

/**
 * What stands in the way of the goals that were missed, a sentence each: channels that are locked, and
 * by what; groups that are as narrow as they get; the precision; what each stage
 * left of the accuracy.
 */
export function obstaclesOf(
  { goals, variant, stages, sensitivity }: Omit<CompressionReport, 'obstacles'>,
  groups: readonly ChannelGroup[],
): string[] {
  const missed = goals.filter(({ met }) => !met).map(({ name }) => name);
  const costs = missed.filter((name) => name !== 'max-accuracy-drop');
  const out: string[] = [];
  if (costs.length > 0) {
    out.push(...lockedChannels(groups), ...narrowest(variant, sensitivity));
    const byBytes = costs.filter((name) => name !== 'macs-ratio');
    if (byBytes.length > 0 && variant.precision === 'fp32')
      out.push('Weights and activations are in floating point: try --precision int8 or auto.');
  }
  if (missed.includes('max-accuracy-drop')) out.push(...accuracyByStage(stages));
  return out;
}

function lockedChannels(groups: readonly ChannelGroup[]): string[] {
  const all = groups.reduce((sum, { of }) => sum + of, 0);
  const reasons = new Map<string, number>();
  for (const { locked } of groups) {
    for (const { reason, channels } of locked)
      reasons.set(reason, (reasons.get(reason) ?? 0) + channels);
  }
  const sorted = [...reasons].sort(([, a], [, b]) => b - a);
  if (all === 0) return ['No layer has channels that could be cut.'];
  if (sorted.length === 0) return [];
  const count = sorted.reduce((sum, [, channels]) => sum + channels, 0);
  const named = sorted.slice(0, NAMED).map(([reason, channels]) => `${reason} (${channels})`);
  const more = sorted.length > NAMED ? `; and ${sorted.length - NAMED} more reasons` : '';
  return [`${count} of ${all} channels cannot be cut: ${named.join('; ')}${more}.`];
}

function narrowest(
  { groups }: CompressionReport['variant'],
  sensitivity: CompressionReport['sensitivity'],
): string[] {
  const offered = sensitivity.flatMap(({ group, points }) => {
    const own = groups[group];
    const [widest, least] = [points[0]?.kept ?? 0, points[points.length - 1]?.kept ?? 0];
    return own && widest > least ? [own.kept.length / own.of <= least / widest] : [];
  });
  const at = offered.filter(Boolean).length;
  if (at === 0) return [];
  return [
    `${at} of ${offered.length} groups are as narrow as they are offered, an eighth of their channels.`,
  ];
}

function accuracyByStage(stages: CompressionReport['stages']): string[] {
  const kept = stages.filter((stage) => stage.kept && stage.accuracy !== null);
  if (kept.length === 0) return ['There are no labels to measure accuracy by.'];
  const list = kept.map(({ name, accuracy }) => `${name} ${(100 * (accuracy ?? 0)).toFixed(2)} %`);
  return [`Accuracy on held-back calibration samples, after each stage: ${list.join(', ')}.`];
}
