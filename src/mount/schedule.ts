/**
 * What happens to the snapshots of a served store by the clock: those that volumes want taken on an interval, and the pruning of
 * those that nobody asked for.
 *
 * The state is in the snapshots themselves: whichever process serves the store, and whenever it was started, an interval begins with
 * the last snapshot that was taken on it.
 */
import type { DatasetId } from '../store/units.js';
import { receivingOf } from '../transfer/partial.js';
import type { Dataset } from '../volume/dataset.js';
import { Datasets } from '../volume/datasets.js';
import type { StoreLog } from '../volume/options.js';
import { INTERVAL_PROPERTY } from '../volume/properties.js';
import { MADE_BY, pruneAutomatic } from '../volume/prune.js';
import { parseAge } from '../volume/retention.js';
import type { Store } from '../volume/store.js';
import { unlessAborted } from './unless-aborted.js';

const INTERVAL = 'interval';
/** How often the clock is looked at, and, of these times, how often snapshots are pruned. */
const TICK_MS = 30_000;
const TICKS_PER_PRUNE = 20;

export class Schedule {
  readonly #store: Store;
  readonly #datasets: Datasets;
  readonly #log: StoreLog;
  readonly #flush: (volume: DatasetId) => Promise<void>;
  readonly #timer: NodeJS.Timeout;
  readonly #stopping = new AbortController();
  #running: Promise<void> = Promise.resolve();
  #ticks = 0;

  /**
   * Begins; failures are told to `log`, and tried again. `flush` has the kernel hand over what programs have written to a volume,
   * where that is mounted.
   */
  constructor(store: Store, log: StoreLog, flush: (volume: DatasetId) => Promise<void>) {
    this.#store = store;
    this.#flush = flush;
    this.#datasets = new Datasets(store);
    this.#log = log;
    this.#timer = setInterval(() => this.#onTick(), TICK_MS);
    this.#timer.unref();
  }

  #onTick(): void {
    this.#running = this.#running.then(async () => {
      try {
        await this.tick(this.#ticks++ % TICKS_PER_PRUNE === 0);
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        this.#log.warn({ err: error }, 'a snapshot by the clock failed');
      }
    });
  }

  /** Takes the snapshots that are due, and prunes if asked to. */
  async tick(prunes: boolean): Promise<void> {
    if (!this.#store.isWritable) return;
    const nowMs = this.#store.nowMs();
    for (const volume of this.#datasets.volumes) {
      // Its snapshots say how far the reception is, and nobody could use others.
      if (receivingOf(volume) !== undefined) continue;
      if (this.#isDue(volume, nowMs)) {
        await unlessAborted(this.#store.swept(), this.#stopping.signal);
        await this.#flush(volume.id);
        await this.#datasets.createSnapshot(volume.name, { prefix: 'auto' }, { [MADE_BY]: INTERVAL });
      }
      if (!prunes) continue;
      const gone = await pruneAutomatic(this.#datasets, volume, nowMs);
      if (gone.length > 0) this.#log.info({ volume: volume.name, snapshots: gone }, 'pruned');
    }
  }

  /** Whether a snapshot of a volume is due. One that would show the same as the last is not taken. */
  #isDue(volume: Dataset, nowMs: number): boolean {
    const intervalMs = parseAge(this.#datasets.property(volume, INTERVAL_PROPERTY).value);
    if (intervalMs === undefined || intervalMs === 0) return false;
    const last = this.#datasets.snapshots(volume.name).findLast(({ properties }) => properties[MADE_BY] === INTERVAL);
    if (last === undefined) return true;
    const { root } = this.#store.state.volumeOf(volume).tree;
    const ageMs = nowMs - last.createdMs;
    // One that is yet to come was taken while the clock was wrong.
    return (ageMs >= intervalMs || ageMs < 0) && last.root !== root;
  }

  /** Ends. Resolves when nothing is under way. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#stopping.abort();
    await this.#running;
  }
}
