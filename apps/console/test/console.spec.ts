import { readFileSync } from 'node:fs';
import { jest } from '@jest/globals';
import { matchPath } from 'react-router';
import { ADMIN_PASSWORD } from '../../server/test/server-process.js';
import { installSmallest } from '../../server/test/walkthrough.js';
import { ConsoleBrowser } from './browser.js';
import { takePictures } from './pictures.js';
import { Site } from './site.js';

jest.setTimeout(900_000);

const WAIT_MS = 240_000;
/** Where pictures of the pages go; the walk is then over images, which takes longer. */
const PICTURES = process.env['CONSOLE_PICTURES'];

/** The addresses of the console's pages. */
const routes = [
  '/',
  ...[
    ...readFileSync(new URL('../src/app.tsx', import.meta.url), 'utf8').matchAll(
      /path="([^*"]+)"/g,
    ),
  ].map(([, path]) => `/${path}`),
];

describe('the console, in Chromium, over server, broker and agents', () => {
  let site: Site;
  let browser: ConsoleBrowser;
  const seen: string[] = [];
  const look = async (name: string, picture = true): Promise<void> => {
    expect({ page: name, violations: await browser.violations() }).toEqual({
      page: name,
      violations: [],
    });
    seen.push(new URL(browser.page.url()).pathname);
    if (PICTURES && picture) await takePictures(browser.page, PICTURES, name);
  };

  beforeAll(async () => {
    site = await Site.open(PICTURES !== undefined);
    browser = await ConsoleBrowser.open(WAIT_MS);
  });

  afterAll(async () => {
    await browser.close();
    await site.close();
  });

  it('registers a device, pushes a model, rolls it out, sees a variant fail, and takes it back', async () => {
    const { page } = browser;
    const { server, files } = site;
    const dialog = page.getByRole('dialog');
    const pages = page.getByRole('navigation', { name: 'Pages' });

    await page.goto(server.url);
    await page.getByLabel('Name').fill('admin');
    await page.getByRole('textbox', { name: 'Password' }).fill(ADMIN_PASSWORD);
    await look('sign-in');
    await page.getByRole('button', { name: 'Sign in' }).click();

    // A device joins.
    await page.getByText('First, let a device join').waitFor();
    await look('overview-empty');
    await pages.getByRole('link', { name: 'Fleet' }).click();
    await page.getByRole('button', { name: 'Add a device' }).click();
    await dialog.getByLabel('Name').fill('press-1');
    await dialog.getByLabel('Labels').fill('kind=press,site=lyon');
    await look('add-device', false);
    await dialog.getByRole('button', { name: 'Make a claim token' }).click();
    const command = (await dialog.locator('pre').textContent()) ?? '';
    const token = /--token (\S+)/.exec(command)?.[1] ?? '';
    await site.startAgent('press-1', 'true', { token });
    await site.startAgent('press-2', 'true', { labels: { kind: 'press', site: 'lyon' } });
    await site.startAgent('press-3', 'true', { labels: { kind: 'press', site: 'oslo' } });
    await site.startAgent('gate-1', 'wrong', { labels: { kind: 'gate', site: 'lyon' } });
    await site.startAgent('gate-2', 'wrong', { labels: { kind: 'gate', site: 'oslo' } });
    await dialog.getByText('press-1 has joined').waitFor();
    await dialog.getByRole('link', { name: 'Look at it' }).click();
    await page.getByText('Memory for a model').waitFor();
    await look('device-new');

    // A model is pushed, and its candidates are made.
    await pages.getByRole('link', { name: 'Models' }).click();
    await page.getByRole('button', { name: 'Push a model' }).click();
    await dialog.getByLabel('Name').fill(files.name);
    const inputs = page.locator('input[type=file]');
    await inputs.nth(0).setInputFiles(files.model);
    await inputs.nth(1).setInputFiles(files.calibration);
    await inputs.nth(2).setInputFiles(files.evaluation);
    if (files.card) await inputs.nth(3).setInputFiles(files.card);
    await dialog.getByRole('button', { name: 'Push', exact: true }).click();
    await page.getByText('Candidates are being made').waitFor();
    await page.getByRole('heading', { name: 'Pareto front' }).waitFor({ timeout: 3 * WAIT_MS });
    const modelId = page.url().split('/').at(-1)!.split('?')[0]!;

    // The Pareto front, by keyboard and by a click.
    const rows = page.getByRole('group', { name: 'Candidates in figures' }).getByRole('radio');
    await rows.first().focus();
    await page.keyboard.press('ArrowDown');
    await page.waitForURL(/candidate=/);
    await rows.nth(1).and(page.locator(':checked')).waitFor();
    await page.locator('[aria-label*="candidates:"] path[transform^="matrix"]').last().click();
    await page.getByRole('heading', { name: 'Layers and widths' }).waitFor();
    await page.getByRole('heading', { name: 'Accuracy by class' }).waitFor();
    await page.getByText('No input is compared').waitFor();
    await page.getByRole('button', { name: 'Ask for samples' }).click();
    await look('ask-for-samples', false);
    await dialog.getByRole('button', { name: 'Ask for samples' }).click();
    await page.getByText('No input was judged in the last day').waitFor();

    // Every device runs something, so that there is something to go back to.
    const { devices } = await server.ok<{ devices: { id: string; name: string }[] }>(
      'GET',
      '/api/v1/devices',
    );
    const idsOf = (kind: string): string[] =>
      devices.filter(({ name }) => name.startsWith(kind)).map(({ id }) => id);
    await installSmallest(server, modelId, '', [...idsOf('press'), ...idsOf('gate')]);
    const { candidates } = await server.ok<{
      candidates: { id: string; artifact: { bytes: number } }[];
    }>('GET', `/api/v1/models/${modelId}/candidates`);
    const sizes = candidates.map(({ artifact }) => artifact.bytes).sort((a, b) => a - b);
    await server.ok('PUT', '/api/v1/budgets', {
      selector: 'kind=gate',
      budget: { transferBytes: sizes[Math.floor(sizes.length / 2)] },
    });

    if (PICTURES) {
      // One a minute is too few for a picture.
      const sampling = { share: 1, perHour: 3600 };
      await server.ok('PUT', `/api/v1/models/${modelId}/shadow`, sampling);
    }

    // A rule watches the fleet.
    await pages.getByRole('link', { name: 'Alerts' }).click();
    await page.getByText('No rule watches the fleet yet').waitFor();
    await look('alerts-empty', false);
    await page.getByRole('button', { name: 'Make a rule' }).click();
    await dialog.getByLabel('Name').fill('slower than the line');
    await dialog.getByRole('combobox', { name: 'Watches' }).click();
    await page.getByRole('option', { name: 'Latency, p95' }).click();
    await dialog.getByLabel('Bad over, ms').fill('0.01');
    await dialog.getByLabel('For at least').fill('0');
    await look('alert-rule', false);
    await dialog.getByRole('button', { name: 'Make the rule' }).click();
    await page.getByRole('cell', { name: 'Latency, p95 over 0.01 ms' }).waitFor();

    // The plan, then the rules of the rollout beside what they would do.
    await pages.getByRole('link', { name: 'Plan' }).click();
    await page.getByRole('button', { name: /^Candidates on press-1/ }).click();
    await page.getByText('chosen', { exact: true }).waitFor();
    await look('plan');
    await page.getByRole('button', { name: 'Make a release' }).click();
    await page.getByText('What it would do').waitFor();
    // The larger of two first: a slow machine has a preview made between them, and they must rise.
    await page.getByLabel('Percent of stage 2').fill('80');
    await page.getByLabel('Percent of stage 1').fill('40');
    await page.getByRole('checkbox', { name: 'after approval' }).nth(1).check();
    await page.getByLabel('Watched after each stage').fill('1');
    await page.getByRole('switch', { name: /^Accuracy in the field/ }).check();
    await page.getByLabel('Passes what is shown to lose under').fill('40');
    await page.getByLabel('Stops what is shown to lose over').fill('10');
    await page.getByRole('cell', { name: '40 %', exact: true }).waitFor();
    await look('rollout-new');
    await page.getByRole('button', { name: 'Create the rollout' }).click();

    // It runs: the variant whose labels say that it is wrong is stopped, and the other one waits.
    await page.getByRole('button', { name: 'Start' }).click();
    await look('rollout-order', false);
    await dialog.getByRole('button', { name: 'Start' }).click();
    await page.getByText('Opened stage 1').waitFor();
    await page.getByText('A variant was stopped').waitFor();
    await page
      .getByText(/^Accuracy in the field: stopped variant/)
      .first()
      .waitFor();
    await page
      .getByText(/stops what is shown under/)
      .first()
      .waitFor();
    await page.getByRole('button', { name: 'Approve' }).waitFor();
    await page
      .getByText(/reverted/)
      .first()
      .waitFor();
    const measured = page.getByRole('group', { name: 'What was measured, by variant' });
    await measured.getByRole('cell').first().waitFor();
    await look('rollout');
    await page.getByRole('button', { name: 'Approve' }).click();
    await dialog.getByLabel('Why').fill('The presses do well in the first stage');
    await dialog.getByRole('button', { name: 'Approve' }).click();
    await page.getByText('Opened stage 2').waitFor();
    await page.getByText('Approval of stage 3 asked').waitFor();

    // A person takes it back.
    await page.getByRole('button', { name: 'Abort' }).click();
    await dialog.getByLabel('Why').fill('The line is about to stop for the night');
    await dialog.getByRole('button', { name: 'Abort' }).click();
    await page.getByText('Ended: aborted').waitFor();
    await page.getByText('“The presses do well in the first stage”').waitFor();

    // What the device says of it, and the fleet.
    const takenBack = page.getByRole('row').filter({ hasText: 'reverted' });
    await takenBack
      .getByRole('link', { name: /^press/ })
      .first()
      .click();
    await page.getByText('Why this variant').waitFor();
    await page.getByRole('cell', { name: 'taken back' }).first().waitFor();
    await page.getByText('Latency, p95').waitFor();
    const signs = page.getByRole('region', { name: 'Without labels' });
    await signs.getByText(/^from the confidence of .* evaluation data$/).waitFor();
    // It takes a minute of reports until something is said of drift.
    if (PICTURES) await signs.getByText(/chance/).waitFor();
    await look('device');
    await page.getByText('Day', { exact: true }).first().click();
    await page.getByRole('region', { name: 'Latency, 95th percentile' }).waitFor();
    await look('device-day', false);
    await pages.getByRole('link', { name: 'Fleet' }).click();
    await page.getByRole('link', { name: 'press-2' }).waitFor();
    await look('fleet');
    await page.getByRole('tab', { name: 'Groups' }).click();
    await page.getByRole('link', { name: 'lyon' }).waitFor();
    await look('groups', false);
    await page.getByRole('tab', { name: 'Budgets' }).click();
    await page.getByText('kind=gate').waitFor();
    await look('budgets');
    // The alert was raised meanwhile; the overview says so, and it is seen by somebody.
    await pages.getByRole('link', { name: 'Overview' }).click();
    await page.getByText('The fleet by state').waitFor();
    await page
      .getByRole('region', { name: 'In the field' })
      .getByRole('cell', { name: `${files.name} v1` })
      .waitFor();
    const attention = page.getByRole('region', { name: 'Needs attention' });
    const raised = attention.getByRole('link', { name: 'slower than the line' }).first();
    await raised.waitFor();
    await look('overview');
    await raised.click();
    await page.getByRole('button', { name: 'Acknowledge slower than the line' }).first().click();
    await page.getByRole('cell', { name: 'admin', exact: true }).first().waitFor();
    await look('alerts');

    // Who did it is in the audit log, which is whole.
    await pages.getByRole('link', { name: 'Audit' }).click();
    await page.getByRole('cell', { name: 'aborted a rollout' }).waitFor();
    await page.getByRole('cell', { name: 'approved a stage' }).waitFor();
    await page.getByRole('button', { name: 'Verify the log' }).click();
    await page.getByText(/entries are unaltered/).waitFor();
    await look('audit');

    // What was not on the way.
    for (const name of ['Models', 'Rollouts']) {
      await pages.getByRole('link', { name }).click();
      await page.getByRole('cell').first().waitFor();
      await look(name.toLowerCase(), false);
    }
    const [smallest] = [...candidates].sort((a, b) => a.artifact.bytes - b.artifact.bytes);
    await page.goto(`${server.url}/models/${modelId}?candidate=${smallest!.id}`);
    await measured.getByRole('cell').first().waitFor();
    if (PICTURES) {
      const drift = page.getByRole('group', { name: 'Drift, by variant' });
      await drift.getByRole('cell').first().waitFor();
    }
    await look('model');
    await page.goto(`${server.url}/nowhere`);
    await page.getByText('There is no such page').waitFor();
    await look('nowhere', false);
    expect(routes.filter((route) => !seen.some((path) => matchPath(route, path)))).toEqual([]);
    expect(browser.errors).toEqual([]);
  });
});
