import { basename } from 'node:path';
import { inspectModel, type Inspection } from '@espalier/compression';
import type { Command } from 'commander';
import { readGiven } from '../option-values.js';
import { bytes, count } from '../output/figures.js';
import { fields, table, type Terminal } from '../output/terminal.js';
import type { Context } from './context.js';

/** Constants named before the rest is only counted. */
const COUPLED_SHOWN = 3;

/** What a model costs, and what of it can be cut. */
export function addInspect(program: Command, { terminal }: Context): void {
  program
    .command('inspect')
    .description('what a model is made of, what it costs, and what of it can be pruned')
    .argument('<model.onnx>')
    .option('--json', 'print one JSON document')
    .action(async (path: string, options: { json?: boolean }) => {
      const inspection = inspectModel(await readGiven(path, 'the model'));
      if (options.json) terminal.json(inspection);
      else terminal.print(inspectionText(basename(path), inspection, terminal));
    });
}

/** An inspection as people read it. */
export function inspectionText(
  name: string,
  inspection: Inspection,
  terminal: Pick<Terminal, 'colors'>,
): string {
  const { groups, operators } = inspection;
  const free = groups.filter(({ units }) => units > 0);
  const locked = groups.flatMap((group) => group.locked.map((lock) => ({ group, ...lock })));
  const described = (values: Inspection['inputs']): string =>
    values
      .map((value) => `${value.name} ${value.dtype} ${value.shape.map((d) => d ?? '?').join('x')}`)
      .join(', ');
  const parts = [
    fields(terminal, [
      ['model', `${name}, ${bytes(inspection.bytes)}, opset ${inspection.opset}`],
      ['inputs', described(inspection.inputs)],
      ['outputs', described(inspection.outputs)],
      ['parameters', count(inspection.params)],
      ['MACs', `${count(inspection.macs)} at batch 1`],
      [
        'peak RAM',
        `${bytes(inspection.peakRamBytes)}, weights and activations, without the runtime`,
      ],
      [
        'operators',
        Object.entries(operators)
          .sort(([, a], [, b]) => b - a)
          .map(([op, times]) => `${op} ${times}`)
          .join(', '),
      ],
    ]),
    `${free.length} of ${groups.length} channel groups can be pruned`,
  ];
  if (free.length > 0) {
    parts.push(
      table(
        terminal,
        ['group', 'channels', 'prunable', 'units', 'cut together'],
        free.map((group) => [
          group.name,
          count(group.channels),
          count(group.prunable),
          count(group.units),
          coupledText(group.coupled),
        ]),
        { right: [1, 2, 3], wrap: { 4: 44 } },
      ),
    );
  }
  if (locked.length > 0) {
    parts.push(
      table(
        terminal,
        ['locked', 'channels', 'reason'],
        locked.map(({ group, channels, reason }) => [group.name, count(channels), reason]),
        { right: [1], wrap: { 2: 60 } },
      ),
    );
  }
  return parts.join('\n\n');
}

function coupledText(coupled: readonly string[]): string {
  const more = coupled.length - COUPLED_SHOWN;
  const shown = coupled.slice(0, COUPLED_SHOWN).join(', ');
  return more > 0 ? `${shown} and ${more} more` : shown;
}
