import type { Release } from '@espalier/protocol';
import { generateKeyPair, publicKeyBase64, sign } from '@espalier/trust';
import { jest } from '@jest/globals';
import { profileOf, ScriptedDevice } from './scripted-device.js';
import { ServerProcess } from './server-process.js';
import { uploadSmall } from './small-model.js';
import { makeCandidates } from './walkthrough.js';

jest.setTimeout(300_000);

describe('a release of a server that does not sign by itself', () => {
  const key = generateKeyPair();
  let server: ServerProcess;
  let device: ScriptedDevice;
  let modelId: string;
  let planId: string;
  let release: { id: string; state: string; document: Release };

  beforeAll(async () => {
    server = await ServerProcess.start({
      ESPALIER_SELF_SIGN: '0',
      ESPALIER_RELEASE_KEYS: publicKeyBase64(key),
    });
    device = await ScriptedDevice.enrol(server, 'only');
    await device.connect(profileOf());
    await server.until<{ state: string }>(
      `/api/v1/devices/${device.id}`,
      (d) => d.state === 'ready',
    );
    modelId = (await uploadSmall(server)).id;
    await makeCandidates(server, modelId, { points: 2, precisions: ['fp32'] });
    planId = (await server.ok<{ id: string }>('POST', '/api/v1/plans', { modelId })).id;
    release = await server.ok('POST', '/api/v1/releases', { modelId, planId });
  });
  afterAll(async () => {
    await device.disconnect();
    await server.dispose();
  });

  const rollOut = () =>
    server.call('POST', '/api/v1/rollouts', {
      releaseId: release.id,
      planId,
      stages: [{ percent: 100 }],
      gate: { maxFailedShare: 0, minSample: 1 },
      soakSeconds: 0,
      deviceDeadlineSeconds: 30,
    });
  const post = (signed: object) =>
    server.call('POST', `/api/v1/releases/${release.id}/signatures`, { signed });

  it('waits for its signature: nothing is rolled out before', async () => {
    expect(release.state).toBe('unsigned');
    expect(release.document.variants).toHaveLength(1);
    expect(await rollOut()).toMatchObject({ status: 409, body: { code: 'RELEASE_UNSIGNED' } });
  });

  it('takes no signature of another key, and none of another document', async () => {
    expect(await post(sign('release', release.document, [generateKeyPair()]))).toMatchObject({
      status: 403,
      body: { code: 'TRUST_THRESHOLD' },
    });
    const longer = { ...release.document, expires: '2099-01-01T00:00:00.000Z' };
    expect(await post(sign('release', longer, [key]))).toMatchObject({
      status: 409,
      body: { code: 'RELEASE_MISMATCH' },
    });
  });

  it('is signed once, offline, and the device verifies what it gets by that key', async () => {
    const signed = sign('release', release.document, [key]);
    expect(await post(signed)).toMatchObject({ status: 200, body: { state: 'signed' } });
    expect(await post(signed)).toMatchObject({ status: 409, body: { code: 'RELEASE_SIGNED' } });
    const { id } = (await rollOut()).body as unknown as { id: string };
    await server.ok('POST', `/api/v1/rollouts/${id}/start`, {});
    await server.until<{ status: string }>(
      `/api/v1/rollouts/${id}`,
      ({ status }) => status === 'completed',
    );
    expect(device.running?.releaseId).toBe(release.id);
  });

  it('keeps its keys to itself, and its root over a restart; another release key is a new root', async () => {
    const { statSync } = await import('node:fs');
    expect(statSync(`${server.dataDir}/keys/root.pem`).mode & 0o777).toBe(0o600);
    expect(statSync(`${server.dataDir}/keys/online.pem`).mode & 0o777).toBe(0o600);
    const before = device.enrolled.root;
    await server.end('SIGTERM');
    await server.launch();
    const same = await ScriptedDevice.enrol(server, 'second');
    expect(same.enrolled.root).toEqual(before);
    await server.end('SIGTERM');
    await server.launch({ ESPALIER_RELEASE_KEYS: publicKeyBase64(generateKeyPair()) });
    const third = await ScriptedDevice.enrol(server, 'third');
    const root = JSON.parse(
      Buffer.from(third.enrolled.root.payload, 'base64').toString(),
    ) as object;
    expect(root).toMatchObject({ version: 2 });
  });

  it('refuses thresholds that cannot be read when the rollout is written', async () => {
    const wrong = await server.call('POST', '/api/v1/rollouts', {
      releaseId: release.id,
      planId,
      stages: [{ percent: 100 }],
      gate: { maxFailedShare: '5%', minSample: 1 },
      soakSeconds: 0,
      deviceDeadlineSeconds: 30,
    });
    expect(wrong).toMatchObject({ status: 400, body: { code: 'REQUEST_INVALID' } });
  });
});
