import type { Transaction } from '../persistence/database.js';
import { startOf } from '../telemetry/resolutions.js';

/** Whose samples, and when. */
export interface TallyKey {
  readonly at: Date;
  readonly modelId: string;
  readonly releaseId: string;
  readonly variantId: string;
  readonly deviceId: string;
}

/** What is counted of samples, each a column of `ShadowTally`. */
export const TALLIED = [
  'judged',
  'classified',
  'agreed',
  'compared',
  'distanceSum',
  'distanceSquares',
  'failed',
  'refused',
  'tooLarge',
  'overBudget',
  'dropped',
] as const;
export type Tallied = (typeof TALLIED)[number];

/** Adds to the counts of a device's hour. */
export async function tally(
  { sql }: Transaction,
  { at, modelId, releaseId, variantId, deviceId }: TallyKey,
  counts: Partial<Record<Tallied, number>>,
): Promise<void> {
  const names = TALLIED.filter((name) => (counts[name] ?? 0) !== 0);
  if (names.length === 0) return;
  const list = names.map((name) => `"${name}"`).join(', ');
  const sums = names.map((name) => `"${name}" = "ShadowTally"."${name}" + excluded."${name}"`);
  await sql.run(
    `INSERT INTO "ShadowTally" ("hour", "modelId", "releaseId", "variantId", "deviceId", ${list})
     VALUES (?, ?, ?, ?, ?, ${names.map(() => '?').join(', ')})
     ON CONFLICT ("hour", "modelId", "releaseId", "variantId", "deviceId")
     DO UPDATE SET ${sums.join(', ')}`,
    [
      ...[startOf('hour', at), modelId, releaseId, variantId, deviceId],
      ...names.map((name) => counts[name] ?? 0),
    ],
  );
}
