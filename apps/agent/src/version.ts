import { createRequire } from 'node:module';
import { z } from 'zod';

/** The version of this agent. */
export const AGENT_VERSION = z
  .object({ version: z.string() })
  .parse(createRequire(import.meta.url)('../package.json')).version;
