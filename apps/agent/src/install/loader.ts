import { parseCard } from '@espalier/dataset';
import type { Logger } from 'pino';
import { AgentError } from '../errors.js';
import type { ModelWorker } from '../run/model-worker.js';
import type { Inference } from '../run/requests.js';
import type { Running } from '../run/running.js';
import type { AgentState, Slot, StateStore } from '../store/agent-state.js';
import type { SlotFiles } from './slots.js';

/** A load that so many starts did not outlive is not tried again. */
const MOST_LOADS = 5;

/** A model that is loaded and has answered once. */
export interface Probed {
  readonly running: Running;
  readonly probe: Inference;
}

/**
 * Brings a slot's model into the worker. Each load is counted on the disk before it begins, because
 * the runtime may take the whole process down; the count is cleared once the model has served for
 * the watchdog period.
 */
export class Loader {
  #watchdog: NodeJS.Timeout | undefined;

  constructor(
    private readonly state: StateStore,
    private readonly files: SlotFiles,
    private readonly worker: ModelWorker,
    private readonly watchdogMs: number,
    private readonly log: Logger,
  ) {}

  /**
   * Loads a slot and runs it once.
   * @throws AgentError INSTALL_CRASH_LOOP, RUN_PROBE; WorkerCallError with the worker's reason
   */
  async load(slot: Slot): Promise<Probed> {
    const content = this.state.value.slots[slot];
    if (!content) throw new AgentError('RUN_FILE', `Slot ${slot} is empty.`);
    if (content.loads >= MOST_LOADS) {
      throw new AgentError(
        'INSTALL_CRASH_LOOP',
        `The model was loaded ${content.loads} times, and the agent ended each time soon after.`,
      );
    }
    clearTimeout(this.#watchdog);
    this.#count(slot, content.loads + 1);
    const { loadedSha256, modelBytes } = await this.worker.call('load', {
      path: this.files.path(slot),
      expectedSha256: content.model.sha256,
      length: content.model.length,
      session: content.session,
      card: content.card == null ? null : parseCard(content.card),
    });
    const probe = await this.worker.call('probe', null);
    if (!probe.finite) {
      throw new AgentError('RUN_PROBE', 'The probe inference gave outputs that are not finite.');
    }
    this.#watchdog = setTimeout(() => this.settle(slot), this.watchdogMs);
    const { latencyMs } = probe;
    this.log.info({ slot, loadedSha256, modelBytes, latencyMs }, 'model loaded and probed');
    const { generation, releaseId, variantId } = content;
    return {
      running: { generation, releaseId, variantId, modelSha256: loadedSha256, modelBytes },
      probe,
    };
  }

  /** The model has outlived its watchdog period, or the agent ends in good order. */
  settle(slot: Slot): void {
    clearTimeout(this.#watchdog);
    if (this.state.value.slots[slot]?.loads) this.#count(slot, 0);
  }

  /** What serves already is loaded even when the disk takes no count. */
  #count(slot: Slot, loads: number): void {
    try {
      this.#setLoads(slot, loads);
    } catch (error) {
      if (slot !== this.state.value.current) throw error;
      this.log.error({ err: error, slot }, 'a load cannot be counted');
    }
  }

  #setLoads(slot: Slot, loads: number): void {
    const { slots } = this.state.value;
    const content = slots[slot];
    if (!content) return;
    const changed: AgentState['slots'] = { ...slots, [slot]: { ...content, loads } };
    this.state.change({ slots: changed });
  }
}
