/**
 * Scrubs of the store that this process serves: one at a time, its outcome in the log.
 */

import { Scrub, type ScrubStatus } from '../volume/scrub.js';
import type { StoreState } from '../volume/state.js';
import type { Logger } from './log.js';

const FINDINGS_LOGGED_MAX = 20;

export class StoreScrub {
  readonly #state: StoreState;
  readonly #log: Logger;
  #scrub: Scrub | undefined;

  constructor(state: StoreState, log: Logger) {
    this.#state = state;
    this.#log = log;
  }

  /** Begins one that reads at most so many bytes a second, unless one is running. */
  start(bytesPerSecond: number): void {
    if (this.#scrub?.status().state === 'running') {
      return;
    }
    const scrub = new Scrub(this.#state, bytesPerSecond);
    this.#scrub = scrub;
    this.#log.info({ bytesPerSecond }, 'scrub begun');
    void scrub.ended.then(() => {
      const { findings, ...result } = scrub.status();
      if (result.problems === 0) {
        this.#log.info(result, 'scrub ended');
      } else {
        this.#log.error(
          { ...result, findings: findings.slice(0, FINDINGS_LOGGED_MAX) },
          'scrub ended: damage was found',
        );
      }
    });
  }

  stop(): void {
    this.#scrub?.stop();
  }

  /** The present one, or the last one of this process; null when there was none. */
  status(): ScrubStatus | null {
    return this.#scrub?.status() ?? null;
  }

  /** Resolves when none runs any more. */
  async end(): Promise<void> {
    this.#scrub?.stop();
    await this.#scrub?.ended;
  }
}
