import { BUDGET_LIMITS, type Budget, type BudgetLimit } from '@espalier/protocol';
import { Option, type Command } from 'commander';
import { CliError } from '../errors.js';
import { positive, share } from '../option-values.js';
import type { ApiOptions } from './connection.js';

const KIB = 1024;

/** Changes of a budget. */
export interface BudgetOptions extends ApiOptions {
  latencyMs?: number;
  ramKib?: number;
  storageKib?: number;
  transferKib?: number;
  minAccuracy?: number;
  soft?: BudgetLimit[];
  lift?: BudgetLimit[];
  clear?: boolean;
}

/** Adds the options that change a budget. */
export function addBudgetOptions(command: Command): Command {
  const names = [...BUDGET_LIMITS];
  const several = (text: string, before: string[] = []): string[] => [...before, text];
  return command
    .option('--latency-ms <ms>', 'latency of one inference, 95th percentile', positive)
    .option('--ram-kib <KiB>', 'memory of the model, over the runtime', positive)
    .option('--storage-kib <KiB>', 'storage of models and downloads', positive)
    .option('--transfer-kib <KiB>', 'what may be sent for one update', positive)
    .option('--min-accuracy <share>', 'least accuracy, from 0 to 1', share)
    .addOption(
      new Option('--soft <limit>', 'a limit that is a wish; may be repeated')
        .choices(names)
        .argParser(oneOf(names, several)),
    )
    .addOption(
      new Option('--lift <limit>', 'a limit to remove; may be repeated')
        .choices(names)
        .argParser(oneOf(names, several)),
    )
    .option('--clear', 'removes every limit first');
}

/** The budget that the options make of the present one. */
export function changedBudget(before: Budget, options: Omit<BudgetOptions, 'server'>): Budget {
  const { latencyMs, ramKib, storageKib, transferKib, minAccuracy, soft, lift = [] } = options;
  const bytesOf = (kib: number): number => Math.floor(kib * KIB);
  const kept = Object.entries(options.clear ? {} : before).filter(
    ([limit]) => !lift.some((lifted) => lifted === limit),
  );
  const wishes = soft ?? (options.clear ? undefined : before.soft);
  const remaining = wishes?.filter((limit) => !lift.includes(limit));
  return {
    ...(Object.fromEntries(kept.filter(([limit]) => limit !== 'soft')) as Budget),
    ...(latencyMs === undefined ? {} : { latencyP95Ms: latencyMs }),
    ...(ramKib === undefined ? {} : { peakRamBytes: bytesOf(ramKib) }),
    ...(storageKib === undefined ? {} : { storageBytes: bytesOf(storageKib) }),
    ...(transferKib === undefined ? {} : { transferBytes: bytesOf(transferKib) }),
    ...(minAccuracy === undefined ? {} : { minAccuracy }),
    ...(remaining?.length ? { soft: remaining } : {}),
  };
}

function oneOf<T>(
  names: readonly string[],
  collect: (text: string, before?: T) => T,
): (text: string, before?: T) => T {
  return (text, before) => {
    if (!names.includes(text)) {
      throw new CliError('CLI_USAGE', `"${text}" is none of ${names.join(', ')}.`);
    }
    return collect(text, before);
  };
}
