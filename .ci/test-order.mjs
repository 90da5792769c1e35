/**
 * Starts the longest test files first, so that none runs alone at the end beside an idle core. A fresh
 * clone has no times of earlier runs, and the size of a file says little about how long it takes.
 */
import { relative } from 'node:path';
import Sequencer from '@jest/test-sequencer';

/** Seconds of a run on two cores, of the files that take half a minute or more. */
const SECONDS = {
  'apps/server/test/recovery.spec.ts': 218,
  'apps/cli/test/demo.spec.ts': 168,
  'apps/cli/test/offline.spec.ts': 136,
  'apps/cli/test/fleet.spec.ts': 87,
  'apps/agent/test/every-write.spec.ts': 82,
  'docs/test/tutorial.spec.ts': 79,
  'apps/console/test/console.spec.ts': 65,
  'apps/agent/test/install.spec.ts': 62,
  'apps/agent/test/agent.spec.ts': 50,
  'apps/server/test/tuning.spec.ts': 46,
  'apps/server/test/field-accuracy.spec.ts': 44,
  'apps/server/test/shadow.spec.ts': 42,
  'apps/agent/test/attacks.spec.ts': 38,
  'bench/ingest-kills/kills.spec.ts': 36,
  'apps/server/test/alerts.spec.ts': 35,
  'apps/server/test/true-accuracy.spec.ts': 34,
  'apps/server/test/membership.spec.ts': 33,
  'apps/server/test/rollout.spec.ts': 31,
  'bench/fuzz/fuzz.spec.ts': 31,
  'libs/compression/test/compress.spec.ts': 30,
};

export default class LongestFirst extends Sequencer {
  sort(tests) {
    const secondsOf = ({ path, context }) =>
      SECONDS[relative(context.config.rootDir, path).replaceAll('\\', '/')] ?? 0;
    // The rest keeps Jest's own order; sorting is stable.
    return super.sort(tests).sort((a, b) => secondsOf(b) - secondsOf(a));
  }
}
