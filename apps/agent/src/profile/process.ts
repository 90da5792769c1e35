import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { ProfileError } from './errors.js';
import { type Measured, type MeasuringSettings, measuredSchema } from './settings.js';

const MOST_OUTPUT_BYTES = 1024 * 1024;

/**
 * Keeps the measuring process small, for the models that it makes are garbage as soon as they ran, and
 * lets nothing collect them beside a kernel that is timed.
 */
const LEAN_HEAP = [
  ...['--expose-gc', '--max-semi-space-size=2'],
  ...['--single-threaded-gc', '--no-incremental-marking'],
];
const LEAN_ALLOCATOR = { MALLOC_ARENA_MAX: '2', MALLOC_TRIM_THRESHOLD_: '131072' };

/**
 * Runs the measuring process and reads its answer; it is killed at the deadline.
 * @throws ProfileError PROFILE_TIMEOUT, PROFILE_PROCESS, PROFILE_ANSWER
 */
export async function runMeasuring(
  settings: MeasuringSettings,
  deadlineMs: number,
  entry: URL = new URL('./main.js', import.meta.url),
): Promise<Measured> {
  const output = await run(
    [...LEAN_HEAP, fileURLToPath(entry), JSON.stringify(settings)],
    deadlineMs,
  );
  let answer: unknown;
  try {
    answer = JSON.parse(output);
  } catch (cause) {
    throw new ProfileError('PROFILE_ANSWER', 'The measuring process did not answer in JSON.', {
      cause,
    });
  }
  const parsed = measuredSchema.safeParse(answer);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw new ProfileError(
      'PROFILE_ANSWER',
      `The measuring process answered wrongly at ${issue?.path.join('.') ?? 'the top'}: ${issue?.message ?? 'invalid'}.`,
    );
  }
  return parsed.data;
}

function run(args: readonly string[], timeout: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = {
      timeout,
      maxBuffer: MOST_OUTPUT_BYTES,
      killSignal: 'SIGKILL',
      env: { ...process.env, ...LEAN_ALLOCATOR },
    } as const;
    execFile(process.execPath, args, options, (error, stdout, stderr) => {
      if (!error) {
        resolve(stdout);
        return;
      }
      const detail = stderr.trim().split('\n').at(-1) ?? '';
      reject(
        error.killed === true && error.code !== 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER'
          ? new ProfileError(
              'PROFILE_TIMEOUT',
              `The measuring process did not end in ${timeout / 1000} s; the device may be too busy.`,
            )
          : new ProfileError(
              'PROFILE_PROCESS',
              `The measuring process failed: ${detail || error.message}`,
              { cause: error },
            ),
      );
    });
  });
}
