import { type Random, seededRandom } from '@espalier/dataset';
import { BYTE_MUTATIONS, GRAPH_MUTATIONS, type Mutation } from './mutations.js';

/** A sound file to spoil. */
export interface Original {
  readonly name: string;
  readonly kind: 'model' | 'data';
  readonly bytes: Uint8Array;
}

/** A spoiled file. */
export interface Case {
  readonly original: Original;
  readonly mutation: string;
  readonly bytes: Uint8Array;
}

/** Of a hundred files, how many are data. */
const DATA_EVERY = 8;

/**
 * Spoiled files, the same for the same seed: models by every mutation in turn, and now and then data.
 */
export function spoiledFiles(originals: readonly Original[], count: number, seed: number): Case[] {
  const random = seededRandom(seed);
  const models = originals.filter(({ kind }) => kind === 'model');
  const data = originals.filter(({ kind }) => kind === 'data');
  const mutations = [...BYTE_MUTATIONS, ...GRAPH_MUTATIONS];
  return Array.from({ length: count }, (_, i) =>
    data.length > 0 && i % DATA_EVERY === DATA_EVERY - 1
      ? spoiled(taken(data, i), taken(BYTE_MUTATIONS, i), random)
      : spoiled(taken(models, i), taken(mutations, i), random),
  );
}

const spoiled = (original: Original, mutation: Mutation, random: Random): Case => ({
  ...{ original, mutation: mutation.name },
  bytes: mutation.apply(original.bytes, random),
});

function taken<T>(items: readonly T[], at: number): T {
  const item = items[at % items.length];
  if (item === undefined) throw new RangeError('Nothing to take from.');
  return item;
}
