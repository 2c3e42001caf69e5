/**
 * Pages that were looked at, each as it was then: 4 bytes for each page of the store. A page that has been used again since, for
 * something else, has another birth epoch and is not among them.
 */
import type { PageNumber } from '../store/units.js';

export class SeenPages {
  /** The low word of the birth epoch by page; 0 for those that were not seen (epochs begin with 1). */
  #births = new Uint32Array(1024);

  /** `birth`: the epoch in which the page was made. */
  add(page: PageNumber, birth: number): void {
    if (page >= this.#births.length) {
      const larger = new Uint32Array(Math.max(page + 1, this.#births.length * 2));
      larger.set(this.#births);
      this.#births = larger;
    }
    this.#births[page] = birth;
  }

  has(page: PageNumber, birth: number): boolean {
    return page < this.#births.length && this.#births[page] !== 0 && this.#births[page] === birth >>> 0;
  }
}
