import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { type Profile, profileSchema } from '@espalier/protocol';
import { z } from 'zod';

/** What `apps/agent/bin/espalier-agent` starts the agent with. */
const AS_THE_AGENT = {
  MALLOC_ARENA_MAX: '1',
  MALLOC_TRIM_THRESHOLD_: '131072',
  ORT_DISABLE_TELEMETRY: '1',
};
const MOST_OUTPUT = 4 * 2 ** 20;

const windowSchema = z.object({
  p50: z.number(),
  /** What its threads waited for a processor, over the time, all together. */
  waiting: z.number(),
  /** Median of the reference right before and after, the slower of both. */
  referenceMs: z.number(),
});
/** A short time in which a model was run. */
export type TimeWindow = z.infer<typeof windowSchema>;

const truthSchema = z.object({ windows: z.array(windowSchema), peakBytes: z.number() });
export type Truth = z.infer<typeof truthSchema>;

/** One process of the truth. */
export interface TruthRequest {
  readonly empty: string;
  /** Null: none is run, so that the memory measured is the model's alone. */
  readonly reference: string | null;
  readonly model: string;
  readonly threads: number;
}

/** Runs a model in a process of its own. */
export async function measureTruth(request: TruthRequest): Promise<Truth> {
  const { empty, reference, model, threads } = request;
  const args = [empty, reference ?? '-', model, String(threads)];
  return truthSchema.parse(JSON.parse(await run('inference.mjs', args)));
}

/** Measures the profile as an agent does. @returns it, and the seconds that it took */
export async function measureOwnProfile(): Promise<{ profile: Profile; seconds: number }> {
  const schema = z.object({ profile: profileSchema, seconds: z.number() });
  return schema.parse(JSON.parse(await run('profile.mjs', [])));
}

/** A script in a session of its own, so that it may go before other sessions. */
function run(script: string, args: readonly string[]): Promise<string> {
  const path = fileURLToPath(new URL(script, import.meta.url));
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--expose-gc', path, ...args], {
      detached: true,
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, ...AS_THE_AGENT },
    });
    let output = '';
    child.stdout.on('data', (part: Buffer) => {
      if (output.length < MOST_OUTPUT) output += part.toString('utf8');
    });
    child.on('error', reject);
    child.on('exit', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${script} ended with code ${code}.`));
    });
  });
}
