import { Logger } from '@nestjs/common';
import { createRollout, type Member } from '@espalier/rollout';
import { TemporaryDatabase } from '../../test/temporary-database.js';
import type { Database } from '../persistence/database.js';
import { LateJoiners } from './late-joiners.js';
import { RolloutEvidence } from './rollout-evidence.js';
import { RolloutStore } from './rollout-store.js';
import { Rollouts } from './rollouts.js';

const DAY_MS = 86_400_000;
const unused = {} as never;
const member: Member = {
  ...{ deviceId: 'cam-1', variantId: 'v-1', previous: null, labels: {}, alternatives: [] },
  faultsAt: [],
};

describe('rollouts', () => {
  let temporary: TemporaryDatabase;
  let database: Database;
  beforeAll(async () => {
    Logger.overrideLogger(false);
    temporary = await TemporaryDatabase.open();
    ({ database } = temporary);
  });
  afterAll(() => temporary.close());

  it('go on where another one before them cannot be read any more', async () => {
    const store = new RolloutStore(database);
    const ids = { releaseId: 'rel-1', planId: 'p-1' };
    // One that has waited for its start for a day, of the hour that it may.
    const made = new Date(Date.now() - DAY_MS);
    const spec = {
      ...{ stages: [{ percent: 100 }], gate: { maxFailedShare: 0.1, minSample: 1 } },
      ...{ soakSeconds: 0, deviceDeadlineSeconds: 60, holdSeconds: 3600 },
    };
    const variants = { 'v-1': { modelSha256: 'a'.repeat(64), expectedAccuracy: null } };
    await database.write(async (transaction) => {
      await transaction.rollout.create({
        data: {
          ...{ id: 'r-broken', ...ids, status: 'running', head: 'no document' },
          ...{ createdAt: new Date(0), updatedAt: new Date(0) },
        },
      });
      const state = createRollout('r-sound', spec, variants, [member], made.getTime());
      await store.insert(transaction, state, ids, made);
    });
    const rollouts = new Rollouts(
      database,
      store,
      unused,
      unused,
      unused,
      new RolloutEvidence(database),
      new LateJoiners(database, unused, unused),
      unused,
      { forget: () => undefined } as never,
      { sendAll: () => Promise.resolve() } as never,
      { emit: () => undefined } as never,
    );
    await rollouts.tick();
    expect((await store.current('r-sound')).status).toBe('aborted');
  });
});
