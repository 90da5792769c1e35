import type { Resolution } from '@espalier/protocol';

/** How long each resolution is, milliseconds. */
export const LENGTH_MS: Readonly<Record<Resolution, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
};

/** The start of the UTC minute, hour or day that an instant is in. */
export const startOf = (resolution: Resolution, at: Date): Date =>
  new Date(at.getTime() - (at.getTime() % LENGTH_MS[resolution]));
