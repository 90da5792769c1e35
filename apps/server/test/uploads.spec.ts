/** What somebody would upload who means harm, to a real server: refused with a code and no effect. */
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { unzipSync, zipSync } from 'fflate';
import { ModelProtoSchema, StringStringEntryProtoSchema } from 'onnx-buf';
import { ServerProcess, type Answer } from './server-process.js';
import { smallFiles } from './small-model.js';

jest.setTimeout(240_000);

type Part = readonly [name: string, fileName: string | null, content: string | Uint8Array];

const { model, calibration } = smallFiles(9);

/** The model with its first weight in another file. */
function withExternalData(location: string): Uint8Array {
  const proto = fromBinary(ModelProtoSchema, model);
  const [weight] = proto.graph!.initializer;
  weight!.rawData = new Uint8Array(0);
  weight!.dataLocation = 1;
  weight!.externalData = [
    create(StringStringEntryProtoSchema, { key: 'location', value: location }),
  ];
  return toBinary(ModelProtoSchema, proto);
}

describe('an upload that means harm', () => {
  let server: ServerProcess;
  let before: ReturnType<typeof held>;

  /** Every file of the server but its database and logs, which change by themselves. */
  const held = (): string[] =>
    readdirSync(server.dataDir, { recursive: true, encoding: 'utf8' })
      .filter((path) => !path.startsWith('espalier.db'))
      .sort();

  beforeAll(async () => {
    server = await ServerProcess.start({ MAX_MODEL_MIB: '1', MAX_DATASET_MIB: '2' });
    before = held();
  });
  afterAll(() => server.dispose());

  afterEach(async () => {
    const { models } = await server.ok<{ models: object[] }>('GET', '/api/v1/models');
    expect(models).toEqual([]);
    expect(held()).toEqual(before);
    expect(await server.ok('GET', '/health')).toMatchObject({ status: 'ok' });
  });

  /** A multipart body as it is on the wire, so that file names are sent as they are. */
  function multipart(parts: readonly Part[]): { body: Buffer; type: string } {
    const boundary = 'a-boundary-of-the-test';
    const pieces = parts.flatMap(([name, fileName, content]) => [
      Buffer.from(
        `--${boundary}\r\nContent-Disposition: form-data; name="${name}"` +
          (fileName === null ? '' : `; filename="${fileName}"`) +
          '\r\n\r\n',
      ),
      Buffer.from(content),
      Buffer.from('\r\n'),
    ]);
    const body = Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]);
    return { body, type: `multipart/form-data; boundary=${boundary}` };
  }

  async function upload(change: Partial<Record<string, Part>> = {}): Promise<Answer> {
    const parts: Record<string, Part> = {
      name: ['name', null, 'sound'],
      model: ['model', 'model.onnx', model],
      calibration: ['calibration', 'data.npz', calibration],
      ...(change as Record<string, Part>),
    };
    const { body, type } = multipart(Object.values(parts));
    const headers = { 'content-type': type };
    const response = await server.fetch('/api/v1/models', { method: 'POST', headers, body });
    return { status: response.status, body: (await response.json()) as never };
  }
  const refused = async (change: Partial<Record<string, Part>>, status: number, code: string) =>
    expect(await upload(change)).toMatchObject({ status, body: { code } });

  it('is larger than the server takes', async () => {
    const large = randomBytes(2 ** 21 + 1);
    await refused(
      { model: ['model', 'm', large.subarray(0, 2 ** 20 + 1)] },
      413,
      'UPLOAD_TOO_LARGE',
    );
    await refused({ calibration: ['calibration', 'c', large] }, 413, 'UPLOAD_TOO_LARGE');
    await refused({ card: ['card', 'card', large.subarray(0, 300_000)] }, 413, 'UPLOAD_TOO_LARGE');
  });

  it('expands a thousandfold', async () => {
    const declaring = (bytes: number): Buffer => {
      const bomb = Buffer.from(zipSync({ 'x.npy': new Uint8Array(2 ** 25) }, { level: 9 }));
      const directory = bomb.lastIndexOf(Buffer.from([0x50, 0x4b, 1, 2]));
      bomb.writeUInt32LE(bytes, directory + 24);
      expect(bomb.length).toBeLessThan(2 ** 16);
      return bomb;
    };
    // More than is ever read, more than deflate can make of so few bytes, and less than it makes.
    await refused({ calibration: ['calibration', 'c', declaring(3e9)] }, 422, 'DATASET_TOO_LARGE');
    await refused({ calibration: ['calibration', 'c', declaring(1e9)] }, 422, 'DATASET_CORRUPT');
    await refused({ calibration: ['calibration', 'c', declaring(1000)] }, 422, 'DATASET_CORRUPT');
  });

  it.each(['../../escaped.onnx', '/etc/cron.d/escaped', '..\\escaped', '..', 'a/../../b'])(
    'has a file name that is a path: %s',
    async (fileName) => {
      await refused({ model: ['model', fileName, model] }, 400, 'UPLOAD_NAME');
      await refused({ calibration: ['calibration', fileName, calibration] }, 400, 'UPLOAD_NAME');
    },
  );

  it.each(['../../escaped', '..', '/etc/passwd', 'a\\b', 'a\0b', 'seen\u202eneddih'])(
    'gives the model a name that is a path, or hides something: %j',
    (name) => refused({ name: ['name', null, name] }, 400, 'UPLOAD_NAME'),
  );

  it.each(['../../x.npy', '/etc/x.npy'])(
    'has an archive with an entry that is a path: %s',
    async (entry) => {
      const sound = unzipSync(calibration);
      const archive = zipSync({ ...sound, [entry]: sound['x.npy']! });
      await refused({ calibration: ['calibration', 'c', archive] }, 422, 'DATASET_CORRUPT');
    },
  );

  it('keeps its weights in another file', async () => {
    for (const location of ['../../../../etc/passwd', 'weights.bin']) {
      const outside = withExternalData(location);
      await refused({ model: ['model', 'm', outside] }, 422, 'ONNX_EXTERNAL_DATA');
    }
  });

  it('is nested deeper than anything of ours', async () => {
    const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
    await refused({ card: ['card', null, deep] }, 400, 'PROTOCOL_TOO_DEEP');
    const headers = { 'content-type': 'application/json' };
    const init = { method: 'POST', headers, body: `{"modelId":${deep}}` };
    const response = await server.fetch('/api/v1/plans', init);
    expect([response.status, await response.json()]).toEqual([
      400,
      expect.objectContaining({ code: 'PROTOCOL_TOO_DEEP' }),
    ]);
  });

  it('comes with more headers than are read', async () => {
    const status = await new Promise((resolve, reject) => {
      const headers = { 'x-padding': 'x'.repeat(20_000), authorization: `Bearer ${server.token}` };
      const sent = httpRequest(`${server.url}/api/v1/models`, { headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      });
      sent.on('error', reject);
      sent.end();
    });
    expect(status).toBe(431);
  });

  it('has more parts, or others, than a model has', async () => {
    const many = Object.fromEntries(
      Array.from({ length: 6 }, (_, i): [string, Part] => [`more${i}`, ['model', 'm', model]]),
    );
    await refused(many, 400, 'FST_FILES_LIMIT');
    await refused({ surprise: ['surprise', 'x', 'x'] }, 400, 'REQUEST_INVALID');
  });
});

describe('a sound upload', () => {
  it('is taken by the same server, with its three files', async () => {
    const server = await ServerProcess.start();
    try {
      const form = new FormData();
      form.set('name', 'sound');
      form.set('model', new Blob([Buffer.from(model)]), 'model.onnx');
      form.set('calibration', new Blob([Buffer.from(calibration)]), 'calibration.npz');
      await server.ok('POST', '/api/v1/models', form);
      const files = readdirSync(join(server.dataDir, 'blobs')).filter(
        (name) => name !== 'incoming',
      );
      expect(files).toHaveLength(2);
    } finally {
      await server.dispose();
    }
  });
});
