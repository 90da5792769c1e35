import type { Command } from 'commander';
import { runDemo } from '../demo/run.js';
import { EXIT } from '../exit.js';
import { whole } from '../option-values.js';
import type { Context } from './context.js';

/** The main job from end to end, with server, broker and agents on this machine. */
export function addDemo(program: Command, { terminal, signal, exitWith }: Context): void {
  program
    .command('demo')
    .description('the whole flow on this machine: a server, its broker, and four devices')
    .option('--once', 'end when all is shown, instead of leaving the server running')
    .option('--data-dir <dir>', 'empty folder to work in, kept at the end')
    .option('--port <port>', 'port of the server; 0 takes a free one', whole(0), 0)
    .action(async (given: { once?: boolean; dataDir?: string; port: number }) => {
      const { once = false, dataDir, port } = given;
      const faults = await runDemo({ once, dataDir, port }, terminal, signal);
      if (faults.length > 0) exitWith(EXIT.goalMissed);
    });
}
