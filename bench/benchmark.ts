import type { ParseArgsConfig } from 'node:util';
import type { z } from 'zod';

type OptionValue = string | boolean | (string | boolean)[] | undefined;

/** What a benchmark gets to work with. */
export interface BenchContext {
  /** The options given, `--json` apart; those not given are absent. */
  readonly values: Readonly<Record<string, OptionValue>>;
  /** Says how things go, a line on stderr. */
  note(line: string): void;
}

/** One benchmark: `bench/NAME/index.ts` exports one as `benchmark`. */
export interface Benchmark<Document = unknown> {
  /** One line for the list of benchmarks. */
  readonly about: string;
  /** Options beside `--json`, as `parseArgs` of `node:util` takes them. */
  readonly options?: NonNullable<ParseArgsConfig['options']>;
  /** Exactly the fields that the benchmark promises. */
  readonly document: z.ZodType<Document>;
  /** Measures. @throws BenchError when what it needs is not there or not valid */
  run(context: BenchContext): Promise<Document>;
}

/** A benchmark that cannot run as asked: the message says what is missing and what to do. */
export class BenchError extends Error {
  constructor(
    readonly code: 'BENCH_USAGE' | 'BENCH_INPUT',
    message: string,
  ) {
    super(message);
    this.name = 'BenchError';
  }
}
