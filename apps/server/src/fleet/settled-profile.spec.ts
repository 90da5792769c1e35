import type { Profile } from '@espalier/protocol';
import { profileOf } from '../../test/scripted-device.js';
import { TemporaryDatabase } from '../../test/temporary-database.js';
import { EventStream } from '../http/event-stream.js';
import type { Database } from '../persistence/database.js';
import { GroupBudgets } from '../tuning/group-budgets.js';
import { Subjects } from '../tuning/subjects.js';
import { Devices } from './devices.js';

const measured = (slower: number): Profile => {
  const profile = profileOf();
  const kernels = profile.kernels.map((time) => ({ ...time, medianMs: slower * time.medianMs }));
  return { ...profile, probeMs: 0.03, kernels };
};

describe('a device that measured itself several times', () => {
  let temporary: TemporaryDatabase;
  let database: Database;

  beforeAll(async () => {
    temporary = await TemporaryDatabase.open();
    ({ database } = temporary);
  });
  afterAll(() => temporary.close());

  it('is planned from what its profiles have in common, and its history shows each as it was', async () => {
    const devices = new Devices(database, new EventStream());
    const state = { state: 'enrolled', budget: {}, createdAt: new Date() };
    await database.write(async ({ device }) => {
      await device.create({
        data: { id: 'cam', name: 'cam', labels: {}, publicKey: '', ...state },
      });
    });
    for (const slower of [1, 1.1, 5]) {
      await database.write((transaction) =>
        devices.takeProfile(transaction, 'cam', measured(slower)),
      );
    }
    const { devices: planned } = await new Subjects(database, new GroupBudgets(database)).selected(
      '',
    );
    const first = profileOf().kernels[0]!.medianMs;
    expect(planned[0]!.profile.kernels[0]!.medianMs).toBeCloseTo(1.05 * first, 9);
    const { profiles } = await devices.profiles('cam');
    const times = profiles.map(({ profile }) => profile.kernels[0]!.medianMs / first);
    expect(times.map((time) => Number(time.toFixed(6)))).toEqual([5, 1.1, 1]);
  });

  it('is planned from what it measures now where what is kept of before cannot be read', async () => {
    const devices = new Devices(database, new EventStream());
    await database.write(async (transaction) => {
      const state = { state: 'enrolled', budget: {}, createdAt: new Date() };
      await transaction.device.create({
        data: { id: 'old', name: 'old', labels: { kept: 'badly' }, publicKey: '', ...state },
      });
      await transaction.profile.create({
        data: {
          deviceId: 'old',
          sha256: '',
          document: { from: 'elsewhere' },
          receivedAt: new Date(),
        },
      });
      await devices.takeProfile(transaction, 'old', measured(1));
    });
    const subjects = new Subjects(database, new GroupBudgets(database));
    const { devices: planned } = await subjects.selected('kept=badly');
    expect(planned.map(({ profile }) => profile.kernels.length)).toEqual([
      profileOf().kernels.length,
    ]);
  });
});
