import { installAfter, type InstallEvent } from '@espalier/protocol';
import type { Logger } from 'pino';
import type { AgentState, Install, StateStore } from '../store/agent-state.js';

/** Moves the install along its transition table: on the disk first, then known to the server. */
export class Progress {
  constructor(
    private readonly state: StateStore,
    private readonly report: () => void,
    private readonly log: Logger,
  ) {}

  /**
   * Persists where an event leads, together with what else changes; nothing happens when another
   * install has taken the place of this one.
   * @param tells whether the server is told at once
   */
  advance(
    install: Install,
    event: InstallEvent,
    {
      changes = {},
      others = {},
      tells = true,
    }: {
      readonly changes?: Partial<Install>;
      readonly others?: Partial<AgentState>;
      readonly tells?: boolean;
    } = {},
  ): void {
    const next = installAfter(install.state, event);
    const latest = this.state.value.install;
    const isPresent = latest?.generation === install.generation && latest.state === install.state;
    if (!next || !isPresent) return;
    this.state.change({ ...others, install: { ...latest, ...changes, state: next } });
    this.log.info({ generation: install.generation, state: next }, 'install state');
    if (tells) this.report();
  }
}
