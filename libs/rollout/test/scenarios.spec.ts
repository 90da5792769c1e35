import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  judgeAccuracy,
  judgeDeviceShare,
  judgeFailedShare,
  replay,
  rewindRollout,
} from '../src/index.js';
import { Scenario } from './scenario.js';

const folder = fileURLToPath(new URL('./scenarios/', import.meta.url));
const scenarios = readdirSync(folder).filter((name) => name.endsWith('.txt'));

function runAll(name: string): Scenario {
  const [, ...body] = readFileSync(`${folder}${name}`, 'utf8').split(/\n\n/);
  const scenario = new Scenario();
  for (const line of body.join('\n').split('\n')) {
    if (line.trim() === '') continue;
    try {
      scenario.run(line);
    } catch (cause) {
      throw new Error(`${name}: "${line}": ${(cause as Error).message}`, { cause });
    }
  }
  return scenario;
}

describe('rollout scenarios', () => {
  for (const name of scenarios)
    it(name, () => {
      const scenario = runAll(name);
      const { initial, log, all } = scenario;
      expect(initial && replay(initial, log).decisions).toEqual(all);
      expect(initial && replay(rewindRollout(scenario.last), log).decisions).toEqual(all);
      for (const decision of all) {
        if (decision.rule === 'accuracy' && decision.numbers && decision.outcome !== 'hold') {
          expect(judgeAccuracy(decision.numbers)).toBe(decision.outcome);
        }
        if (decision.rule === 'latency' && decision.numbers && decision.outcome !== 'hold') {
          expect(judgeDeviceShare(decision.numbers)).toBe(decision.outcome);
        }
        if (decision.rule === 'failed-share') {
          expect(judgeFailedShare(decision.numbers)).toBe(decision.outcome);
        }
      }
      expect(all.map(({ seq }) => seq)).toEqual(all.map((_, index) => index + 1));
    });
});
