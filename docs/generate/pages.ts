import { apiPage } from './api.js';
import { cliPage } from './cli.js';
import { configurationPage } from './configuration.js';
import { errorsPage } from './errors.js';
import { messagesPage } from './messages.js';

/** The pages of `docs/reference` that are made from the code, by name. */
export const PAGES: Readonly<Record<string, () => Promise<string>>> = {
  'api.md': apiPage,
  'cli.md': cliPage,
  'configuration.md': configurationPage,
  'errors.md': errorsPage,
  'messages.md': messagesPage,
};
