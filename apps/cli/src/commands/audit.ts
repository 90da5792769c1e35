import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { auditEntrySchema, auditFault, type AuditEntry } from '@espalier/trust';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { auditEntries, verifyAudit, type AuditFilter, type Verdict } from '../api/audit.js';
import { CliError } from '../errors.js';
import { EXIT } from '../exit.js';
import { whole } from '../option-values.js';
import { table, type Terminal } from '../output/terminal.js';
import { apiCommand, connect, show, type ApiOptions } from './connection.js';
import type { Context } from './context.js';

type Head = NonNullable<Verdict['head']>;

/** Who did what on the server, and whether that record is whole. */
export function addAudit(program: Command, context: Context): void {
  const group = program.command('audit').description('what was done on the server, and by whom');
  const { terminal } = context;

  apiCommand(group, 'list', 'what was done, the newest first')
    .option('--actor <name>', 'only what an account did')
    .option('--action <text>', 'only what begins so, as "POST /api/v1/rollouts"')
    .addOption(
      new Option('--outcome <outcome>', 'only what ended so').choices([
        'done',
        'refused',
        'failed',
      ]),
    )
    .option('--limit <N>', 'most entries to show', whole(1), 50)
    .action(async (options: ApiOptions & AuditFilter & { limit: number }) => {
      const entries: AuditEntry[] = [];
      for await (const entry of auditEntries(connect(options, context), options, 'newest')) {
        if (entries.push(entry) >= options.limit) break;
      }
      show(entries, options, context, () => entriesText(entries, terminal));
    });

  apiCommand(group, 'export', 'the whole log to standard output, a JSON document a line').action(
    async (options: ApiOptions) => {
      for await (const entry of auditEntries(connect(options, context), {}, 'oldest')) {
        terminal.print(JSON.stringify(entry));
      }
    },
  );

  apiCommand(group, 'verify', 'follows the chain of hashes; exit code 1 where it was broken')
    .argument('[file]', 'an export to check without the server')
    .option('--head <seq:hash>', 'an entry kept earlier that must still be there', headOf)
    .action(async (file: string | undefined, options: ApiOptions & { head?: Head }) => {
      const verdict = await verdictOn(file, options, context);
      if (verdict.fault) context.exitWith(EXIT.goalMissed);
      show(verdict, options, context, verdictText);
    });
}

function entriesText(entries: readonly AuditEntry[], terminal: Terminal): string {
  if (entries.length === 0) return 'No such entries.';
  return table(
    terminal,
    ['#', 'at', 'who', 'what', 'object', 'outcome', 'from'],
    entries.map(({ seq, at, actor, action, object, outcome, code, address }) => [
      ...[String(seq), at, actor, action, object],
      ...[code === null ? outcome : `${outcome}: ${code}`, address ?? 'the server'],
    ]),
    { right: [0] },
  );
}

async function verdictOn(
  file: string | undefined,
  options: ApiOptions & { head?: Head },
  context: Context,
): Promise<Verdict> {
  const api = (): ReturnType<typeof connect> => connect(options, context);
  if (file === undefined && options.head === undefined) return verifyAudit(api());
  return follow(file === undefined ? auditEntries(api(), {}, 'oldest') : read(file), options.head);
}

/** Follows a chain from its beginning, and past an entry that is known to belong to it. */
async function follow(entries: AsyncIterable<AuditEntry>, kept?: Head): Promise<Verdict> {
  let head: Head | null = null;
  const broken = (seq: number, why: string): Verdict => ({
    ...{ entries: head?.seq ?? 0, head, fault: { seq, why } },
  });
  for await (const entry of entries) {
    const why = auditFault(entry, head);
    if (why) return broken(entry.seq, why);
    const { seq, hash } = entry;
    if (seq === kept?.seq && hash !== kept.hash) return broken(seq, 'rewritten');
    head = { seq, hash };
  }
  if (kept && kept.seq > (head?.seq ?? 0)) return broken(kept.seq, 'missing');
  return { entries: head?.seq ?? 0, head, fault: null };
}

async function* read(file: string): AsyncGenerator<AuditEntry> {
  let line = 0;
  try {
    for await (const text of createInterface({ input: createReadStream(file) })) {
      line += 1;
      yield auditEntrySchema.parse(JSON.parse(text));
    }
  } catch (cause) {
    throw new CliError('CLI_FILE', `${file} is no export of an audit log (line ${line}).`, {
      cause,
    });
  }
}

function verdictText({ entries, head, fault }: Verdict): string {
  if (fault) return `BROKEN at entry ${fault.seq}: ${fault.why}. Up to ${entries} it is intact.`;
  if (!head) return 'There are no entries.';
  return `${entries} entries, the chain is intact. Keep its head elsewhere: ${head.seq}:${head.hash}`;
}

function headOf(text: string): Head {
  const [, seq, hash] = /^(\d+):([0-9a-f]{64})$/.exec(text) ?? [];
  if (seq === undefined || hash === undefined) {
    throw new InvalidArgumentError('It must be seq:hash, as `audit verify` prints it.');
  }
  return { seq: Number(seq), hash };
}
