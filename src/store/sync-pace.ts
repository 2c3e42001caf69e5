/**
 * Whether the disk makes little data durable so fast that waiting for it costs less than handing it to another thread.
 *
 * A hop to the thread pool and back costs two wake-ups, 40 to 60 µs each on an idle machine: as much as the sync itself on a fast
 * disk. A slow disk, or a busy one, would hold up all other requests meanwhile.
 */

/** Milliseconds that all other requests may be held up: as long as the serving loop keeps the event loop waiting anyway. */
const QUICK_MS_MAX = 1;
/** The part of one sync in the average. */
const WEIGHT = 1 / 8;

export class SyncPace {
  /** Moving average of what a sync of little data took, in milliseconds. */
  #averageMs = 0;

  /** Whether the next one is worth waiting for. */
  get isQuick(): boolean {
    return this.#averageMs < QUICK_MS_MAX;
  }

  /** Tells how long one took. */
  observe(milliseconds: number): void {
    this.#averageMs += (milliseconds - this.#averageMs) * WEIGHT;
  }
}
