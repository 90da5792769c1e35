import type { Failure } from '@espalier/protocol';

/** Why the agent stops, or refuses or fails a target. */
export type AgentErrorCode =
  | 'AGENT_STATE_CORRUPT'
  | 'AGENT_STATE_IN_USE'
  | 'AGENT_OPTIONS'
  | 'ENROL_NO_TOKEN'
  | 'ENROL_REFUSED'
  | 'ENROL_ANSWER'
  | 'TARGET_MANIFEST'
  | 'TARGET_ENCODING'
  | 'TARGET_STORAGE'
  | 'TARGET_MEMORY'
  | 'INSTALL_ARTIFACT_HASH'
  | 'INSTALL_MODEL_HASH'
  | 'INSTALL_STORAGE_FULL'
  | 'INSTALL_IO'
  | 'INSTALL_CRASH_LOOP'
  | 'RUN_FILE'
  | 'RUN_OTHER_HASH'
  | 'RUN_EXTERNAL_DATA'
  | 'RUN_LOAD'
  | 'RUN_PROBE'
  | 'RUN_WORKER';

/** An error that the agent knows how to name. */
export class AgentError extends Error {
  constructor(
    readonly code: AgentErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'AgentError';
  }
}

const LONGEST_MESSAGE = 1024;

/** What a report says of an error. */
export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  return { code: codeOf(error), message: message.slice(0, LONGEST_MESSAGE) };
}

function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'INSTALL_STORAGE_FULL';
  if (error instanceof Error && error.name.endsWith('Error') && typeof code === 'string') {
    if (/^[A-Z][A-Z0-9]*_[A-Z0-9_]{1,60}$/.test(code) && !code.startsWith('ERR_')) return code;
  }
  return 'INSTALL_IO';
}
