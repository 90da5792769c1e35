import { Command } from 'commander';
import { addCompress } from './commands/compress.js';
import type { Context } from './commands/context.js';
import { addDemo } from './commands/demo.js';
import { addDevices } from './commands/devices.js';
import { addInspect } from './commands/inspect.js';
import { addModels } from './commands/models.js';
import { addPlan } from './commands/plan.js';
import { addReleases } from './commands/releases.js';
import { addRollouts } from './commands/rollouts.js';
import { addTuning } from './commands/tuning.js';

/** The whole command line; a command that cannot be carried out throws. */
export function buildProgram(context: Context): Command {
  const program = new Command('espalier')
    .description('Train once, fit every device.')
    .version('0.1.0')
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => undefined });
  addInspect(program, context);
  addCompress(program, context);
  addDevices(program, context);
  addModels(program, context);
  addPlan(program, context);
  addTuning(program, context);
  addReleases(program, context);
  addRollouts(program, context);
  addDemo(program, context);
  return program;
}
