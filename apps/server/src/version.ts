import { createRequire } from 'node:module';
import { z } from 'zod';

/** The version of this server, which is that of the whole project. */
export const SERVER_VERSION = z
  .object({ version: z.string() })
  .parse(createRequire(import.meta.url)('../package.json')).version;
