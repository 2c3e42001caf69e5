/**
 * How long to look for the next request before going to sleep.
 *
 * Waking an idle core costs tens of microseconds, which is more than serving a request. So while requests follow each other
 * closely, the reader keeps looking for a little while after each answer. It stops doing so when that does not find any, and
 * while somebody else could use the core.
 */
import { closeSync, openSync, readSync } from 'node:fs';
import { availableParallelism } from 'node:os';

/** Microseconds to look: about what a wake-up costs, so that looking in vain at most doubles the cost of a request. */
const BUDGET_MICROSECONDS = 50;
/** The part of a look in the average of how many found something. */
const WEIGHT = 1 / 16;
/** Below this average, looking is not worth it. */
const SUCCESS_MIN = 1 / 8;
/** While it is not, every how-many-th time it is tried again. */
const RETRY_EVERY = 16;

/** Tells whether other programs wait for a core. */
export interface MachineLoad {
  isBusy(): boolean;
}

export class AdaptivePolling {
  readonly #load: MachineLoad;
  /** Moving average of looks that found a request, 0 to 1. */
  #success = 1;
  #sinceRetry = 0;

  constructor(load: MachineLoad) {
    this.#load = load;
  }

  /** Microseconds to look for the next request now. */
  budget(): number {
    if (this.#load.isBusy()) {
      return 0;
    }
    if (this.#success < SUCCESS_MIN && ++this.#sinceRetry % RETRY_EVERY !== 0) {
      return 0;
    }
    return BUDGET_MICROSECONDS;
  }

  /** Tells how a look with a budget above 0 has ended. */
  observe(found: boolean): void {
    this.#success += ((found ? 1 : 0) - this.#success) * WEIGHT;
  }
}

/** How long one look at the load counts, in milliseconds. */
const LOAD_VALID_MS = 10;

/** The load of this machine: programs that run or want to, from /proc/loadavg (proc_loadavg(5)), against the cores. */
export class HostLoad implements MachineLoad {
  readonly #cores = availableParallelism();
  readonly #text = Buffer.alloc(64);
  readonly #fd = openSync('/proc/loadavg', 'r');
  #validUntilMs = 0;
  #isBusy = false;

  isBusy(): boolean {
    const now = performance.now();
    if (now >= this.#validUntilMs) {
      this.#validUntilMs = now + LOAD_VALID_MS;
      this.#isBusy = this.#otherRunnable() >= this.#cores;
    }
    return this.#isBusy;
  }

  close(): void {
    closeSync(this.#fd);
  }

  /** `0.20 0.18 0.12 1/80 11206`: the fourth field begins with the number of runnable threads, of which this is one. */
  #otherRunnable(): number {
    const length = readSync(this.#fd, this.#text, 0, this.#text.length, 0);
    const fields = this.#text.toString('latin1', 0, length).split(' ');
    return Number.parseInt(fields[3] ?? '1', 10) - 1;
  }
}
