import { createServer } from 'node:http';
import { once } from 'node:events';
import { FeedbackServer } from './feedback.js';

const SHA = 'a'.repeat(64);

describe('feedback', () => {
  let server: FeedbackServer;
  let port: number;
  const taken: object[] = [];

  beforeAll(async () => {
    const probe = createServer().listen(0, '127.0.0.1');
    await once(probe, 'listening');
    ({ port } = probe.address() as { port: number });
    probe.close();
    await once(probe, 'close');
    server = await FeedbackServer.listen(port, (sha256, counts) => {
      if (sha256 !== SHA) return false;
      taken.push(counts);
      return true;
    });
  });
  afterAll(() => server.stop());

  const post = async (body: string, path = '/v1/feedback') => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, { method: 'POST', body });
    const text = await response.text();
    return [response.status, text && (JSON.parse(text) as { code: string }).code];
  };

  it('is counted for the model that serves, and for no other', async () => {
    const body = { modelSha256: SHA, labelled: 3, correct: 2 };
    expect(await post(JSON.stringify(body))).toEqual([204, '']);
    expect(taken).toEqual([{ labelled: 3, correct: 2 }]);
    const other = JSON.stringify({ ...body, modelSha256: 'b'.repeat(64) });
    expect(await post(other)).toEqual([409, 'FEEDBACK_OTHER_MODEL']);
  });

  it('that cannot be so, is no feedback or is too large is refused, and the next is taken', async () => {
    const wrong = { modelSha256: SHA, labelled: 2, correct: 3 };
    expect(await post(JSON.stringify(wrong))).toEqual([400, 'FEEDBACK_INVALID']);
    expect(await post('{')).toEqual([400, 'FEEDBACK_INVALID']);
    expect(await post('{}', '/elsewhere')).toEqual([404, 'NOT_FOUND']);
    await post('x'.repeat(100_000)).then(
      ([status]) => expect(status).toBe(413),
      // The connection may be closed before all of it is sent.
      (cause: Error) => expect(cause.message).toBe('fetch failed'),
    );
    expect(await post(JSON.stringify({ ...wrong, correct: 2 }))).toEqual([204, '']);
  });

  it('says when its port is taken', async () => {
    await expect(FeedbackServer.listen(port, () => true)).rejects.toMatchObject({
      code: 'AGENT_OPTIONS',
    });
  });
});
