/**
 * Work that takes long, in slices: requests are served in between. A program's call is several requests, each of which may have to wait
 * for one slice.
 */
import { setImmediate } from 'node:timers/promises';

const SLICE_MS = 1;

export class Slice {
  #startMs = performance.now();

  /** It is time to let others in: `next`. */
  get isOver(): boolean {
    return performance.now() - this.#startMs >= SLICE_MS;
  }

  /** Resolves after others have been served. */
  async next(): Promise<void> {
    await setImmediate();
    this.#startMs = performance.now();
  }
}
