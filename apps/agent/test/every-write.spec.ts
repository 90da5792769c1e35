/**
 * Ends the built agent after each state that an install persists, and fills its disk at each write
 * of an install, one after another; after a restart it must stand where it should.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { jest } from '@jest/globals';
import { sha256 } from '@espalier/delivery';
import type { AgentProcess } from './agent-process.js';
import { padded } from './models.js';
import { Site } from './site.js';

jest.setTimeout(300_000);

/** One write of an install. */
interface Write {
  readonly line: string;
  readonly occurrence: number;
}

let site: Site;
beforeAll(async () => {
  site = await Site.open();
});
afterAll(() => site.close());

/** Takes an agent from one model to the next, each generation another. */
class Lane {
  generation = 0;

  private constructor(
    readonly agent: AgentProcess,
    readonly name: string,
  ) {}

  static async open(name: string): Promise<Lane> {
    const lane = new Lane(await site.started(name), name);
    await lane.offer();
    await lane.settled();
    await lane.agent.end('SIGTERM');
    return lane;
  }

  modelOf(generation: number): Buffer {
    return padded(100, generation);
  }

  readonly log = join(site.directory(), 'writes');

  /** Offers the next model: the server does that now and at every hello. */
  async offer(): Promise<void> {
    this.generation += 1;
    const spec = { model: this.modelOf(this.generation), generation: this.generation };
    await site.server.target(`dev-${this.name}`, { ...spec, encoding: 'identity' });
  }

  reports() {
    return site.server.reports.filter(
      ({ deviceId, generation }) =>
        deviceId === `dev-${this.name}` && generation === this.generation,
    );
  }

  /** A write may not come this time, as when the server gives a target once and not twice. */
  async killedOrSettled(): Promise<void> {
    const isOver = () => this.reports().some(({ state }) => state === 'active') || undefined;
    await Promise.race([this.agent.exit(), site.server.until(isOver, 'the kill').catch(() => 0)]);
    await this.agent.end('SIGKILL');
  }

  /** Waits for the end of the install; checks that nothing was called active that is not. */
  async settled() {
    const last = await site.server.until(
      () => this.reports().find(({ state }) => state === 'active' || state === 'failed'),
      `the end of generation ${this.generation} of ${this.name}`,
    );
    for (const report of this.reports().filter(({ state }) => state === 'active')) {
      expect(report.loadedSha256).toBe(sha256(this.modelOf(this.generation)));
      expect(report.probe).toMatchObject({ finite: true });
    }
    return last;
  }
}

/** The writes of one install: each of the state file's, and the first and last of every other file. */
async function writesOfOneInstall(lane: Lane): Promise<Write[]> {
  await lane.offer();
  lane.agent.start({ log: lane.log });
  await lane.settled();
  await lane.agent.end('SIGKILL');
  const counts = new Map<string, number>();
  const all = readFileSync(lane.log, 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const occurrence = (counts.get(line) ?? 0) + 1;
      counts.set(line, occurrence);
      return { line, occurrence };
    });
  return all.filter(
    ({ line, occurrence }) =>
      line.includes('state.json') || occurrence === 1 || occurrence === counts.get(line),
  );
}

async function inLanes(
  names: readonly string[],
  writes: readonly Write[],
  work: (lane: Lane, write: Write) => Promise<void>,
): Promise<void> {
  const left = [...writes];
  const lanes: Lane[] = [];
  for (const name of names) lanes.push(await Lane.open(name));
  await Promise.all(
    lanes.map(async (lane) => {
      for (let write = left.shift(); write; write = left.shift()) await work(lane, write);
    }),
  );
}

describe('at every write of an install', () => {
  let writes: Write[];

  beforeAll(async () => {
    writes = await writesOfOneInstall(await Lane.open('baseline'));
  });

  it('an agent that is killed right after it ends active after the restart', async () => {
    // A rename is what makes a write count; before it, the state is the one before.
    const points = writes.filter(
      ({ line }) => !/^writeSync (state|outbox|download.manifest)/.test(line),
    );
    const seen = new Set<string>();
    await inLanes(['kill-a', 'kill-b'], points, async (lane, write) => {
      await lane.offer();
      lane.agent.start({ log: lane.log, kind: 'kill', ...write });
      await lane.killedOrSettled();
      const state = lane.agent.state()?.install;
      const at = state?.generation === lane.generation ? state.state : 'none';
      seen.add(at);
      process.stderr.write(`killed after ${write.line} ${write.occurrence}: persisted ${at}\n`);
      lane.agent.start();
      expect(await lane.settled()).toMatchObject({ state: 'active', failure: null });
      await lane.agent.end('SIGTERM');
      expect(readdirSync(join(lane.agent.stateDir, 'slots')).sort()).toEqual(['a.onnx', 'b.onnx']);
      expect(readdirSync(lane.agent.stateDir)).not.toContain('download');
    });
    expect([...seen].sort()).toEqual(
      ['accepted', 'active', 'downloading', 'installing', 'none', 'probing'].sort(),
    );
  });

  it('an agent whose disk is full from then on runs a right model, then and after the restart', async () => {
    const points = writes.filter(
      ({ line, occurrence }) =>
        !line.startsWith('rename') && (line.includes('state.json') || occurrence === 1),
    );
    await inLanes(['full-a', 'full-b'], points, async (lane, write) => {
      const former = sha256(lane.modelOf(lane.generation));
      await lane.offer();
      const next = sha256(lane.modelOf(lane.generation));
      const before = lane.agent.log.length;
      lane.agent.start({ log: lane.log, kind: 'full', ...write });
      // Not the server alone: an agent that can keep no report sends none.
      await lane.agent.until(
        () =>
          lane.reports().some(({ state }) => state === 'active' || state === 'failed') ||
          lane.agent.log.slice(before).includes('ENOSPC'),
      );
      expect(lane.agent.ended).toBe(false);
      await lane.agent.end('SIGKILL');
      lane.agent.start();
      const { state, running, failure } = await lane.settled();
      process.stderr.write(
        `full at ${write.line} ${write.occurrence}: ${state} ${failure?.code ?? ''}\n`,
      );
      if (state === 'active') expect(running?.modelSha256).toBe(next);
      else {
        // The download goes first to make room, so that a restart may find a part of it gone.
        expect(['INSTALL_STORAGE_FULL', 'TARGET_MANIFEST', 'INSTALL_IO']).toContain(failure?.code);
        expect(running?.modelSha256).toBe(former);
        // With room again the same model goes in.
        await lane.offer();
        expect(await lane.settled()).toMatchObject({ state: 'active' });
      }
      await lane.agent.end('SIGTERM');
    });
  });
});
