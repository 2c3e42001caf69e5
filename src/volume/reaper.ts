/**
 * Gives up the trees of destroyed snapshots and volumes, in slices between requests.
 *
 * A destroyed tree is one reference to its root. Giving up the last reference to a page gives up what the page points to: for a
 * branch the references to its children, which take the page's place in the list, and for a leaf what its items point to. The list
 * is kept in the catalog at each checkpoint, so that an interrupted destruction goes on with the next mount. Nothing of it is
 * logged: a crash goes back to a checkpoint that has the pages, their counts and the list as they were together.
 */
import { CorruptionError } from '../errors/corruption.js';
import { asPageNumber, type PageNumber } from '../store/units.js';
import { KEY_WORDS } from '../tree/key.js';
import { BRANCH_SLOT_WORDS, branchSlot, countOf, levelOf } from '../tree/page.js';
import type { StoreState } from './state.js';

/** Pages looked at in one slice: some hundred microseconds. */
const PAGES_PER_SLICE = 32;

export class Reaper {
  readonly #state: StoreState;

  constructor(state: StoreState) {
    this.#state = state;
  }

  /** Does one slice of work. Returns whether there is more. A page that cannot be read keeps its space; it is given to `onDamage`. */
  slice(onDamage: (error: CorruptionError) => void): boolean {
    const { dying } = this.#state;
    for (let count = 0; count < PAGES_PER_SLICE; count++) {
      const page = dying.pop();
      if (page === undefined) return false;
      try {
        this.#giveUp(page);
      } catch (error) {
        if (!(error instanceof CorruptionError)) throw error;
        onDamage(error);
      }
    }
    return dying.length > 0;
  }

  #giveUp(page: PageNumber): void {
    const { pages, dying } = this.#state;
    if (pages.count(page) === 1) {
      const words = pages.words(page);
      const base = pages.base(page);
      if (levelOf(words, base) === 0) {
        this.#state.releaseRecords(words, base);
      } else {
        const end = branchSlot(base, countOf(words, base));
        for (let slot = branchSlot(base, 0); slot < end; slot += BRANCH_SLOT_WORDS) {
          dying.push(asPageNumber(words[slot + KEY_WORDS]));
        }
      }
    }
    pages.release(page);
  }
}
