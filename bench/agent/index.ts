import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { packageContents } from '../../apps/agent/packaging/contents.js';
import { input, model } from '../../apps/agent/test/models.js';
import { StubServer } from '../../apps/agent/test/stub-server.js';
import type { BenchContext, Benchmark } from '../benchmark.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const STARTS = 3;
/** Past the first telemetry window and the watchdog period. */
const REST_MS = 15_000;
const WATCHED_MS = 20_000;
const INFERENCE_INTERVAL_MS = 60_000;
const MEBIBYTE = 2 ** 20;
/** Clock ticks of a second in /proc, on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100;

const resultSchema = z.strictObject({
  idleRssMiB: z.number(),
  idleCpuPercent: z.number(),
  startToFirstInferenceMs: z.number(),
  packageMiB: z.number(),
});
type Result = z.infer<typeof resultSchema>;

/** One agent with the example model: what it takes while it waits, and how soon it answers. */
export const benchmark: Benchmark<Result> = {
  about: 'memory, processor and start of an idle agent',
  document: resultSchema,
  run: async ({ note }) => {
    const stateDir = await mkdtemp(join(tmpdir(), 'espalier-bench-'));
    const server = new StubServer();
    await server.start();
    try {
      return await measure(server, stateDir, note);
    } finally {
      await server.stop();
      await rm(stateDir, { recursive: true, force: true });
    }
  },
};

async function measure(
  server: StubServer,
  stateDir: string,
  note: BenchContext['note'],
): Promise<Result> {
  const first = new Agent(server, stateDir);
  await server.until(() => server.hellos[0], 'the first hello', 60_000);
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  note(`resident ${first.rssMiB().toFixed(1)} MiB before there is any model`);
  await server.target('dev-bench', { model, generation: 1 });
  await server.reported(1, 'active');
  await first.stop();
  const times: number[] = [];
  for (let start = 0; start < STARTS; start += 1) {
    const agent = new Agent(server, stateDir);
    times.push(await agent.firstInferenceMs);
    if (start < STARTS - 1) await agent.stop();
    else return { ...(await watch(agent, times, note)), packageMiB: packageMiB() };
  }
  throw new Error('No start was measured.');
}

async function watch(
  agent: Agent,
  times: readonly number[],
  note: BenchContext['note'],
): Promise<Omit<Result, 'packageMiB'>> {
  await new Promise((resolve) => setTimeout(resolve, REST_MS));
  const before = agent.cpuSeconds();
  await new Promise((resolve) => setTimeout(resolve, WATCHED_MS));
  const cpu = agent.cpuSeconds() - before;
  const rss = agent.rssMiB();
  await agent.stop();
  note(`starts ${times.map((ms) => ms.toFixed(0)).join(', ')} ms`);
  note(
    `resident ${rss.toFixed(1)} MiB, of which ${agent.modelMiB.toFixed(1)} came with the model's session`,
  );
  return {
    idleRssMiB: rss - agent.modelMiB,
    idleCpuPercent: (cpu / (WATCHED_MS / 1000)) * 100,
    startToFirstInferenceMs: [...times].sort((a, b) => a - b)[times.length >> 1] ?? 0,
  };
}

/** The built agent as a process of its own. */
class Agent {
  readonly #child: ChildProcess;
  /** From the start of the process to the first inference, which is the probe of the model. */
  readonly firstInferenceMs: Promise<number>;
  modelMiB = 0;

  constructor(server: StubServer, stateDir: string) {
    const startedAt = performance.now();
    this.#child = spawn(
      join(ROOT, 'apps/agent/bin/espalier-agent'),
      [
        ...['--server', server.url, '--token', server.token(), '--name', 'bench'],
        ...['--state-dir', stateDir, '--quick-profile', '--input', input],
        ...['--inference-interval-ms', String(INFERENCE_INTERVAL_MS)],
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    this.firstInferenceMs = new Promise((resolve) => {
      if (!this.#child.stderr) return;
      createInterface({ input: this.#child.stderr }).on('line', (line) => {
        const modelBytes = /"modelBytes":(\d+)/.exec(line)?.[1];
        if (modelBytes === undefined) return;
        this.modelMiB = Number(modelBytes) / MEBIBYTE;
        resolve(performance.now() - startedAt);
      });
    });
  }

  rssMiB(): number {
    const status = readFileSync(`/proc/${this.#child.pid ?? 0}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024;
  }

  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.#child.pid ?? 0}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  async stop(): Promise<void> {
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    await exited;
  }
}

/** The package for this platform, unpacked, without Node. */
const packageMiB = (): number =>
  packageContents(ROOT, process).reduce((sum, { bytes }) => sum + bytes, 0) / MEBIBYTE;
