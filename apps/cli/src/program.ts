import { Command } from 'commander';
import { addAccounts } from './commands/accounts.js';
import { addAudit } from './commands/audit.js';
import { addBroker } from './commands/broker.js';
import { addCompletion } from './commands/completion.js';
import { addAlerts } from './commands/alerts.js';
import { addCompress } from './commands/compress.js';
import type { Context } from './commands/context.js';
import { addDemo } from './commands/demo.js';
import { addDevices } from './commands/devices.js';
import { addDoctor } from './commands/doctor.js';
import { addInspect } from './commands/inspect.js';
import { addLogin } from './commands/login.js';
import { addModels } from './commands/models.js';
import { addPlan } from './commands/plan.js';
import { addReleases } from './commands/releases.js';
import { addRollouts } from './commands/rollouts.js';
import { addRoot } from './commands/root.js';
import { addShadow } from './commands/shadow.js';
import { addTelemetry } from './commands/telemetry.js';
import { addTokens } from './commands/tokens.js';
import { addTuning } from './commands/tuning.js';
import { EXIT_CODES } from './exit.js';
import { CLI_VERSION } from './version.js';

/** The whole command line; a command that cannot be carried out throws. */
export function buildProgram(context: Context): Command {
  const program = new Command('espalier')
    .description('Train once, fit every device.')
    .version(CLI_VERSION)
    .showSuggestionAfterError()
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .addHelpText('after', exitCodesText());
  addInspect(program, context);
  addCompress(program, context);
  addLogin(program, context);
  addAccounts(program, context);
  addTokens(program, context);
  addAudit(program, context);
  addDevices(program, context);
  addModels(program, context);
  addPlan(program, context);
  addTuning(program, context);
  addReleases(program, context);
  addRollouts(program, context);
  addRoot(program, context);
  addAlerts(program, context);
  addTelemetry(program, context);
  addShadow(program, context);
  addDoctor(program, context);
  addBroker(program, context);
  addDemo(program, context);
  addCompletion(program, context);
  return program;
}

function exitCodesText(): string {
  const lines = EXIT_CODES.map(({ code, means }) => `  ${String(code).padEnd(5)}${means}`);
  return `\nExit codes:\n${lines.join('\n')}`;
}
