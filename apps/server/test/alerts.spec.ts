import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { jest } from '@jest/globals';
import type { AlertView, RuleView } from '../src/alerts/schemas.js';
import { profileOf, ScriptedDevice } from './scripted-device.js';
import { ServerProcess } from './server-process.js';

jest.setTimeout(300_000);

const SECRET = 'a secret of the webhook';
const DASHBOARD = new URL('../../../docker/grafana/espalier.json', import.meta.url);

describe('alerts', () => {
  const told: { body: string; signature: string | undefined }[] = [];
  let server: ServerProcess;
  let device: ScriptedDevice;
  let hook: Server;
  let rule: RuleView;

  beforeAll(async () => {
    server = await ServerProcess.start();
    device = await ScriptedDevice.enrol(server, 'only', { site: 'lyon' });
    await device.connect(profileOf());
    hook = createServer((request, response) => {
      void text(request).then((body) => {
        const signature = request.headers['x-espalier-signature'] as string | undefined;
        told.push({ body, signature });
        // Fails once, so that it has to be tried again.
        response.statusCode = told.length === 1 ? 500 : 204;
        response.end();
      });
    }).listen(0, '127.0.0.1');
    await once(hook, 'listening');
    rule = await server.ok('POST', '/api/v1/alert-rules', {
      ...{ name: 'accuracy of Lyon', metric: 'accuracy', raise: 0.6, clear: 0.8 },
      ...{ forSeconds: 0, windowSeconds: 3600, minimum: 10, selector: 'site=lyon' },
      actions: {
        webhook: {
          url: `http://127.0.0.1:${(hook.address() as AddressInfo).port}/alerts`,
          secret: SECRET,
        },
      },
    });
  });
  afterAll(async () => {
    await device.disconnect();
    hook.close();
    await server.dispose();
  });

  const serve = (labelled: number, correct: number): Promise<string> => {
    const to = new Date().toISOString();
    return device.say('telemetry', {
      generation: 1,
      running: { releaseId: 'rel-1', variantId: 'v-1', modelSha256: 'a'.repeat(64) },
      ...{ from: to, to, inferences: 20, errors: 0, restarts: 0, emulatedSlowdown: null },
      latencyMs: { p50: 10, p95: 12, max: 15, mean: 11 },
      memory: { rssBytes: 1000, modelBytes: 100 },
      accuracy: { labelled, correct },
    });
  };
  const alerts = (done: (all: AlertView[]) => boolean): Promise<{ alerts: AlertView[] }> =>
    server.until('/api/v1/alerts', (page: { alerts: AlertView[] }) => done(page.alerts));

  it('never show the secret of a webhook', async () => {
    const rules = await server.ok<object>('GET', '/api/v1/alert-rules');
    expect(JSON.stringify(rules)).not.toContain(SECRET);
    expect(rule.actions.webhook?.url).toContain('/alerts');
  });

  it('are refused a clear threshold on the bad side', async () => {
    const body = { name: 'x', metric: 'latency', raise: 10, clear: 20 };
    expect(await server.call('POST', '/api/v1/alert-rules', body)).toMatchObject({
      status: 400,
      body: { code: 'REQUEST_INVALID' },
    });
  });

  it('are raised with the value, once, and told to the webhook, signed, until it takes it', async () => {
    await serve(20, 10);
    const { alerts: raised } = await alerts((all) => all.length > 0);
    expect(raised).toMatchObject([
      { ruleId: rule.id, state: 'active', value: 0.5, releaseId: 'rel-1', variantId: 'v-1' },
    ]);
    for (const late = Date.now() + 120_000; told.length < 2 && Date.now() < late;) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    expect(told.length).toBeGreaterThanOrEqual(2);
    for (const { body, signature } of told) {
      const wanted = createHmac('sha256', SECRET).update(body).digest('hex');
      expect(signature).toBe(`sha256=${wanted}`);
    }
    expect(JSON.parse(told[1]!.body)).toMatchObject({ change: 'raised', alert: { value: 0.5 } });
  });

  it('are acknowledged by name, and survive a kill of the server without being raised again', async () => {
    const {
      alerts: [before],
    } = await alerts(() => true);
    await server.ok('POST', `/api/v1/alerts/${before!.id}/acknowledge`, {});
    await server.end('SIGKILL');
    await server.launch({ BROKER_PORT: new URL(device.membership.brokerUrl).port });
    const { alerts: after } = await alerts(() => true);
    expect(after).toMatchObject([{ id: before!.id, state: 'active', acknowledgedBy: 'admin' }]);
  });

  it('are cleared when the value is good again', async () => {
    for (const done = Date.now() + 120_000; ;) {
      const id = await serve(1000, 1000);
      await new Promise((resolve) => setTimeout(resolve, 200));
      if (device.acks.includes(id)) break;
      expect(Date.now()).toBeLessThan(done);
    }
    const { alerts: all } = await alerts(([one]) => one?.state === 'cleared');
    expect(all).toHaveLength(1);
    const series = await server.ok<{ series: { key: string; total: object }[] }>(
      'GET',
      '/api/v1/telemetry/series?by=labels&selector=site%3Dlyon',
    );
    expect(series.series).toMatchObject([
      { key: 'site=lyon', total: { accuracy: { labelled: expect.any(Number) as number } } },
    ]);
  });

  it('are on a dashboard that asks only for metrics that there are', async () => {
    const metrics = await (await server.fetch('/metrics')).text();
    const known = new Set([...metrics.matchAll(/^# TYPE (\w+) /gm)].map(([, name]) => name!));
    const { panels } = JSON.parse(readFileSync(DASHBOARD, 'utf8')) as {
      panels: { targets: { expr: string }[] }[];
    };
    const asked = panels.map(({ targets }) =>
      targets
        .flatMap(({ expr }) => expr.match(/espalier_\w+/g) ?? [])
        .map((name) => name.replace(/_bucket$/, '')),
    );
    expect(asked.filter((names) => names.length === 0)).toEqual([]);
    expect(asked.flat().filter((name) => !known.has(name))).toEqual([]);
    expect(asked.flat()).toEqual(
      expect.arrayContaining(['espalier_shadow_agreement', 'espalier_drift_days']),
    );
  });
});
