/**
 * Loaded into the server under test (`--import`): kills the process at the first step of a rollout
 * that makes a transition at which it was not killed yet, either within the transaction or right
 * after its commit, before anything was sent. Which transitions those were is kept in a file.
 */
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

const ledger = process.env['ESPALIER_TEST_KILLS'];
const both = process.env['ESPALIER_TEST_KILL_BOTH'] === '1';

if (ledger && isMainThread && process.argv[1]?.endsWith('/server/dist/main.js')) {
  await import('reflect-metadata');
  const { RolloutStore } = await import('../dist/rollout/rollout-store.js');
  const { Database } = await import('../dist/persistence/database.js');
  const killed = new Set(
    existsSync(ledger) ? readFileSync(ledger, 'utf8').split('\n').filter(Boolean) : [],
  );
  let afterCommit = null;

  const die = (marks) => {
    appendFileSync(ledger, `${marks.join('\n')}\n`);
    process.kill(process.pid, 'SIGKILL');
  };

  const { step } = RolloutStore.prototype;
  RolloutStore.prototype.step = async function (transaction, rolloutId, event, now) {
    const before = await this.current(rolloutId);
    const result = await step.call(this, transaction, rolloutId, event, now);
    if (!existsSync(`${ledger}.armed`)) return result;
    const made = transitionsOf(before, result.state);
    const within = made.filter((one) => wanted(one, 'within')).map((one) => `within ${one}`);
    if (within.length > 0) die(within);
    const after = made.filter((one) => wanted(one, 'after')).map((one) => `after ${one}`);
    if (after.length > 0) afterCommit = after;
    return result;
  };

  const { commit } = Database.prototype;
  Database.prototype.commit = async function (batch) {
    await commit.call(this, batch);
    if (afterCommit) die(afterCommit);
  };

  /** Each transition once, by turns within and after; or at both. */
  const wanted = (transition, when) => {
    if (killed.has(`${when} ${transition}`)) return false;
    const letters = [...transition].reduce((sum, letter) => sum + letter.charCodeAt(0), 0);
    return both || (letters % 2 === 0) === (when === 'within');
  };
}

function transitionsOf(before, after) {
  const made = new Set();
  if (before.status !== after.status) made.add(`rollout ${before.status} > ${after.status}`);
  for (const [id, { status }] of after.devices) {
    const was = before.devices.get(id)?.status ?? 'none';
    if (was !== status) made.add(`device ${was} > ${status}`);
  }
  return [...made];
}
