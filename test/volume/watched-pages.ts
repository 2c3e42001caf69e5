/** Watches whether what operations take of pages has been reserved for them. */
import type { PageStore } from '../../src/tree/page-store.js';

/** Pages that are reserved beside what an operation needs, so that a full store can be emptied; not when the log is replayed. */
export const PAGES_KEPT = 256;

/** Of the operation, or the checkpoint, that reserved pages last: a store reserves once for each. */
interface Use {
  readonly reserved: number;
  /** Pages that were free then, and the fewest that were since. */
  readonly free: number;
  leastFree: number;
}

export class WatchedPages {
  readonly #uses: Use[] = [];

  constructor(pages: PageStore) {
    const reserve = pages.reserve.bind(pages);
    const allocate = pages.allocate.bind(pages);
    const writable = pages.writable.bind(pages);
    const note = (): void => {
      const use = this.#uses.at(-1);
      if (use !== undefined) use.leastFree = Math.min(use.leastFree, pages.free);
    };
    pages.reserve = (count) => {
      reserve(count);
      this.#uses.push({ reserved: count, free: pages.free, leastFree: pages.free });
    };
    pages.allocate = (level) => {
      const page = allocate(level);
      note();
      return page;
    };
    pages.writable = (page) => {
      const copy = writable(page);
      note();
      return copy;
    };
  }

  /** Pages reserved for what reserved most since this was asked last, and those that it took. */
  largest(): { readonly reserved: number; readonly taken: number } {
    const uses = this.#uses.splice(0).map(({ reserved, free, leastFree }) => ({ reserved, taken: free - leastFree }));
    return uses.reduce((most, use) => (use.taken > most.taken ? use : most), { reserved: 0, taken: 0 });
  }
}
