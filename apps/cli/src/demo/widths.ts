import type { CompressionReport } from '@espalier/compression';

/** Channels that each group keeps, in the order of the model's layers. */
export function widthsOf({ variant }: CompressionReport): readonly number[] {
  return Object.values(variant.groups).map(({ kept }) => kept.length);
}

/** The widths as one text: equal exactly where every group keeps as many channels. */
export const widthsKey = (report: CompressionReport): string => widthsOf(report).join('-');

/** Share of all channels that are kept, 0 to 1. */
export function channelShare({ variant }: CompressionReport): number {
  const groups = Object.values(variant.groups);
  const all = groups.reduce((sum, { of }) => sum + of, 0);
  return groups.reduce((sum, { kept }) => sum + kept.length, 0) / Math.max(all, 1);
}
