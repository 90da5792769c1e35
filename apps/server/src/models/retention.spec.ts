import { existsSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { TemporaryDatabase } from '../../test/temporary-database.js';
import type { Database } from '../persistence/database.js';
import { BlobStore } from './blob-store.js';
import { Retention } from './retention.js';

const NOW = Date.now();
const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

describe('candidates beyond the bounds', () => {
  let temporary: TemporaryDatabase;
  let database: Database;
  let blobs: BlobStore;

  beforeEach(async () => {
    temporary = await TemporaryDatabase.open();
    ({ database } = temporary);
    blobs = await BlobStore.open(join(temporary.folder, 'blobs'));
    await database.write(({ model }) =>
      model.create({
        data: {
          ...{ id: 'm-1', name: 'one', sha256: hashOf('dense'), bytes: 5 },
          ...{ calibrationSha256: hashOf('data'), inspection: {}, createdAt: new Date(NOW) },
        },
      }),
    );
  });
  afterEach(() => temporary.close());

  /** Candidates v-0, v-1, …, the oldest first, of 10 bytes each; all share one model file. */
  async function made(count: number): Promise<void> {
    writeFileSync(blobs.path(hashOf('shared')), 'shared');
    for (let i = 0; i < count; i += 1) {
      writeFileSync(blobs.path(hashOf(`artifact ${i}`)), 'x');
      await database.write(({ candidate }) =>
        candidate.create({
          data: {
            ...{ id: `v-${i}`, modelId: 'm-1', jobId: `job-${i}`, report: {}, costs: {} },
            ...{ modelSha256: hashOf('shared'), modelBytes: 6 },
            ...{ artifactSha256: hashOf(`artifact ${i}`), artifactBytes: 4 },
            ...{ encoding: 'identity', createdAt: new Date(NOW + i * 1000) },
          },
        }),
      );
    }
  }
  const bounded = (maxCandidates: number, maxCandidateBytes = 1e9): Retention =>
    new Retention(database, blobs, { maxCandidates, maxCandidateBytes, maxFinishedJobs: 3 });
  const left = async (): Promise<string[]> =>
    (await database.read.candidate.findMany({ orderBy: { id: 'asc' } })).map(({ id }) => id);

  it('go, the oldest first, with their files; by number or by bytes', async () => {
    await made(6);
    expect(await bounded(4).apply()).toBe(2);
    expect(await left()).toEqual(['v-2', 'v-3', 'v-4', 'v-5']);
    expect(await bounded(100, 25).apply()).toBe(2);
    expect(await left()).toEqual(['v-4', 'v-5']);
    const kept = [0, 3, 4, 5].map((i) => existsSync(blobs.path(hashOf(`artifact ${i}`))));
    expect(kept).toEqual([false, false, true, true]);
    expect(existsSync(blobs.path(hashOf('shared')))).toBe(true);
  });

  it('stay while a plan, a release or a policy names them, or the job that was just done made them', async () => {
    await made(6);
    const at = { createdAt: new Date(NOW) };
    await database.write(async ({ plan, release, tunedDevice }) => {
      await plan.create({
        data: {
          ...{ id: 'p-1', modelId: 'm-1', selector: '', ...at },
          document: [{ deviceId: 'cam-1', candidateId: 'v-0', reasons: [], excluded: [] }],
        },
      });
      await release.create({
        data: {
          ...{ id: 'rel-1', modelId: 'm-1', planId: 'p-gone', modelName: 'one', version: 1 },
          ...{ state: 'unsigned', document: { variants: [{ id: 'v-1' }] }, manifests: {}, ...at },
        },
      });
      await tunedDevice.create({
        data: {
          ...{ policyId: 'pol-1', deviceId: 'cam-1', candidateId: 'v-2', budgetSha256: '' },
          ...{ profileSha256: '', deviceClass: '', plannedAt: new Date(NOW) },
        },
      });
    });
    expect(await bounded(1).apply('job-3')).toBe(2);
    expect(await left()).toEqual(['v-0', 'v-1', 'v-2', 'v-3']);
    await expect(bounded(2).refuseFull()).rejects.toMatchObject({ code: 'CANDIDATES_FULL' });
    await expect(bounded(3).refuseFull()).resolves.toBeUndefined();
    expect(await left()).toEqual(['v-0', 'v-1', 'v-2']);
  });

  it('are forgotten apart from their jobs, of which the last that ended are remembered', async () => {
    await made(6);
    await database.write(async ({ job }) => {
      for (let i = 0; i < 6; i += 1) {
        const isOver = i < 5;
        await job.create({
          data: {
            ...{ id: `job-${i}`, modelId: 'm-1', kind: 'candidates', request: {}, progress: 1 },
            ...{ state: isOver ? 'done' : 'running', stage: '', createdAt: new Date(NOW) },
            finishedAt: isOver ? new Date(NOW + i * 1000) : null,
          },
        });
      }
    });
    await bounded(10).forgetJobs();
    const jobs = await database.read.job.findMany({ orderBy: { id: 'asc' } });
    expect(jobs.map(({ id }) => id)).toEqual(['job-2', 'job-3', 'job-4', 'job-5']);
    expect(await left()).toHaveLength(6);
  });

  it('leave no file of a refused upload, and every file that a model has', async () => {
    for (const text of ['dense', 'refused']) writeFileSync(blobs.path(hashOf(text)), text);
    await bounded(1).forget([hashOf('dense'), hashOf('refused'), hashOf('never there')]);
    expect(existsSync(blobs.path(hashOf('dense')))).toBe(true);
    expect(existsSync(blobs.path(hashOf('refused')))).toBe(false);
  });
});
