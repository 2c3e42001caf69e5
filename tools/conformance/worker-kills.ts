/**
 * `kill -9` of the process that serves a mount, again and again while a suite runs. Its supervisor starts another each time.
 */
import { setTimeout } from 'node:timers/promises';
import { DEATHS_MAX, DEATHS_WITHIN_MS } from '../../src/mount/death-watch.js';
import { restart } from '../../src/mount/restart.js';
import type { MountedStore } from '../../test/mounted/mounted-store.js';

/** As often as the supervisor allows before it takes the deaths for a loop. */
const KILL_INTERVAL_MS = Math.ceil(DEATHS_WITHIN_MS / (DEATHS_MAX - 1)) + 1000;
/** Between two kills the process is replaced in an orderly way, which is another way to get at a suite. */
const RESTART_INTERVAL_MS = 4000;
const FIRST_MS = 1500;

export class WorkerKills {
  readonly #mounted: MountedStore;
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;
  kills = 0;
  restarts = 0;

  /** Begins at once. */
  constructor(mounted: MountedStore) {
    this.#mounted = mounted;
    this.#ended = this.#run();
  }

  async #run(): Promise<void> {
    let nextKillMs = performance.now() + FIRST_MS;
    while (await this.#wait(nextKillMs)) {
      process.kill(await this.#mounted.servingPid(), 'SIGKILL');
      this.kills++;
      const lastMs = performance.now();
      nextKillMs = lastMs + KILL_INTERVAL_MS;
      for (let at = lastMs + RESTART_INTERVAL_MS; at < nextKillMs; at += RESTART_INTERVAL_MS) {
        if (!(await this.#wait(at))) return;
        await restart(this.#mounted.mountPoint);
        this.restarts++;
      }
    }
  }

  /** Resolves at that time with true, or with false once this is to stop. */
  #wait(untilMs: number): Promise<boolean> {
    const { signal } = this.#stop;
    return setTimeout(Math.max(0, untilMs - performance.now()), true, { signal }).catch(() => false);
  }

  /** Resolves once there will be no more; throws when one could not be done. */
  stop(): Promise<void> {
    this.#stop.abort();
    return this.#ended;
  }
}
