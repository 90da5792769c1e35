import { join } from 'node:path';
import { profileOf } from '../../test/scripted-device.js';
import { TemporaryDatabase } from '../../test/temporary-database.js';
import { parseConfiguration } from '../configuration.js';
import { BlobStore } from '../models/blob-store.js';
import { Library } from '../models/library.js';
import { ModelBounds } from '../models/model-bounds.js';
import type { Database } from '../persistence/database.js';
import { toJson } from '../persistence/json.js';
import { GroupBudgets } from '../tuning/group-budgets.js';
import { Subjects } from '../tuning/subjects.js';
import { Members } from './members.js';

const NOW = new Date();

describe('a revoked device', () => {
  let temporary: TemporaryDatabase;
  let database: Database;

  beforeAll(async () => {
    temporary = await TemporaryDatabase.open();
    ({ database } = temporary);
    for (const id of ['cam-good', 'cam-revoked', 'cam-unmeasured']) {
      await database.write(async ({ device, profile }) => {
        await device.create({
          data: {
            ...{ id, name: id, labels: {}, publicKey: '', state: 'ready', budget: {} },
            ...{ createdAt: NOW, revokedAt: id === 'cam-good' ? null : NOW },
          },
        });
        if (id === 'cam-unmeasured') return;
        const document = toJson(profileOf());
        await profile.create({ data: { deviceId: id, sha256: 'a', document, receivedAt: NOW } });
      });
    }
  });
  afterAll(() => temporary.close());

  it('is not planned for', async () => {
    const subjects = new Subjects(database, new GroupBudgets(database));
    const { devices, unmeasured } = await subjects.selected('');
    expect(devices.map(({ id }) => id)).toEqual(['cam-good']);
    expect(unmeasured).toEqual([]);
  });

  it('is no member of a rollout of a plan that was made before', async () => {
    const blobs = await BlobStore.open(join(temporary.folder, 'blobs'));
    const assignment = { candidateId: 'v-1', predictedLatencyMs: 1, reasons: [], excluded: [] };
    const bounds = new ModelBounds(database, blobs, parseConfiguration({}));
    const { members, misfits } = await new Members(new Library(database, blobs, bounds)).of(
      database.read,
      ['cam-good', 'cam-revoked'].map((deviceId) => ({ deviceId, ...assignment })),
      { 'v-1': { modelSha256: 'b'.repeat(64), expectedAccuracy: null } },
    );
    expect(members.map(({ deviceId }) => deviceId)).toEqual(['cam-good']);
    expect(misfits).toEqual([
      { deviceId: 'cam-revoked', why: expect.stringMatching(/^revoked since /) },
    ]);
  });
});
